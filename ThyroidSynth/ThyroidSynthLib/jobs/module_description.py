"""The command line of a Slicer CLI module, built from the XML file from which Slicer builds its panel."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ThyroidSynthLib.common.errors import InputError

# Slicer omits empty values: an omitted string is empty, any other omitted parameter is None.
_TYPES: dict[str, Callable[[str], Any]] = {
    "file": Path,
    "directory": Path,
    "string": str,
    "integer": int,
    "double": float,
}


def parser_from_xml(path: Path) -> argparse.ArgumentParser:
    """Build a parser with the flags, types, limits, choices and defaults of the XML file.

    All flags are long flags followed by a value, except booleans, which are present or absent. Raises `InputError` if
    the file is missing or is not a module description.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"{path} cannot be read as a module description ({error}). Install it again.") from error
    parser = argparse.ArgumentParser(description=_text(root, "description"), allow_abbrev=False)
    for group in root.iter("parameters"):
        section = parser.add_argument_group(_text(group, "label"), _text(group, "description"))
        for parameter in group:
            if parameter.find("longflag") is not None:
                section.add_argument(_text(parameter, "longflag"), **_options(parameter))
    return parser


def _options(parameter: ElementTree.Element) -> dict[str, Any]:
    name, default = _text(parameter, "name"), _text(parameter, "default")
    # argparse reads percent signs in help texts as format specifiers.
    described = _text(parameter, "description").replace("%", "%%")
    if parameter.tag == "boolean":
        return {"dest": name, "action": "store_true", "help": described}
    choices = [element.text for element in parameter.findall("element")]
    if choices:
        return {"dest": name, "choices": choices, "default": default, "help": f"{described} Default: {default}."}
    convert = _limited(_TYPES[parameter.tag], parameter.find("constraints"))
    value = convert(default) if default or parameter.tag == "string" else None
    suffix = f" Default: {default}." if default else ""
    metavar = parameter.tag.upper()
    return {"dest": name, "type": convert, "default": value, "metavar": metavar, "help": described + suffix}


def _limited(convert: Callable[[str], Any], limits: ElementTree.Element | None) -> Callable[[str], Any]:
    if limits is None:
        return convert
    low, high = convert(_text(limits, "minimum")), convert(_text(limits, "maximum"))

    def within(text: str) -> Any:
        try:
            value = convert(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number between {low} and {high}") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return within


def _text(element: ElementTree.Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()
