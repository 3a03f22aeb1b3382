"""The XML file from which Slicer builds the module's panel, and the command line built from it."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.jobs.background import train_script
from ThyroidSynthLib.jobs.module_description import parser_from_xml
from ThyroidSynthLib.model.presets import PRESETS
from ThyroidSynthLib.model.settings import VARIANTS

SCRIPT = train_script()
XML = SCRIPT.with_suffix(".xml")
ROOT = ElementTree.parse(XML).getroot()
PARAMETERS = [
    parameter for group in ROOT.iter("parameters") for parameter in group if parameter.find("name") is not None
]

_SPEC = importlib.util.spec_from_file_location("ThyroidSynthTrain", SCRIPT)
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)

ACTIONS = {action.dest: action for action in script.make_parser()._actions}


def text(parameter: ElementTree.Element, tag: str) -> str:
    return (parameter.findtext(tag) or "").strip()


def names(parameter: ElementTree.Element) -> str:
    return text(parameter, "name")


def test_the_script_prints_the_file() -> None:
    result = subprocess.run([sys.executable, str(SCRIPT), "--xml"], capture_output=True, check=True)

    assert result.stdout == XML.read_bytes()
    assert result.stderr == b""


def test_the_file_is_printed_without_the_library(tmp_path: Path) -> None:
    copy = Path(shutil.copy(SCRIPT, tmp_path))
    shutil.copy(XML, tmp_path)

    # -I and -S: neither PYTHONPATH nor installed packages.
    result = subprocess.run([sys.executable, "-I", "-S", str(copy), "--xml"], capture_output=True)
    without = subprocess.run([sys.executable, "-I", "-S", str(copy)], capture_output=True, text=True)

    assert result.stdout == XML.read_bytes()
    assert without.returncode == 1
    assert "ThyroidSynthLib was not found near" in without.stderr and "Traceback" not in without.stderr


def test_the_script_has_the_first_line_of_a_scripted_cli_module() -> None:
    assert SCRIPT.read_text(encoding="utf-8").splitlines()[0] == "#!/usr/bin/env python-real"


def test_the_description_has_all_texts_that_slicer_shows() -> None:
    assert XML.read_text(encoding="utf-8").startswith("<?xml ")
    assert ROOT.tag == "executable"
    for tag in ("category", "title", "description", "version", "license", "contributor", "acknowledgements"):
        assert text(ROOT, tag), tag
    for group in ROOT.iter("parameters"):
        assert text(group, "label") and text(group, "description")


def test_the_version_is_that_of_the_library() -> None:
    from ThyroidSynthLib import __version__

    assert text(ROOT, "version") == __version__


def test_description_and_parser_have_the_same_flags() -> None:
    described = {text(parameter, "longflag") for parameter in PARAMETERS}
    parsed = {flag for action in ACTIONS.values() for flag in action.option_strings}

    assert parsed - described == {"-h", "--help", "--xml"}
    assert described - parsed == set()


@pytest.mark.parametrize("parameter", PARAMETERS, ids=names)
def test_slicers_parser_accepts_the_parameter(parameter: ElementTree.Element) -> None:
    """Check the rules of Slicer's ModuleDescriptionParser."""
    known = {"name", "label", "longflag", "description", "channel", "default", "constraints", "element"}
    attributes = {"file": {"fileExtensions"}, "directory": set(), "integer": set(), "double": set()}

    assert {child.tag for child in parameter} <= known
    assert set(parameter.attrib) <= attributes.get(parameter.tag, {"hidden"})
    # No hyphens: Slicer uses the names as variables.
    for name in (text(parameter, "name"), text(parameter, "longflag").removeprefix("--")):
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    assert text(parameter, "label") and len(text(parameter, "description")) > 20


@pytest.mark.parametrize("parameter", PARAMETERS, ids=names)
def test_type_choices_and_limits_are_the_same(parameter: ElementTree.Element) -> None:
    action = ACTIONS[text(parameter, "name")]
    choices = [element.text for element in parameter.findall("element")] or None
    kinds = {"file": Path, "directory": Path, "string": str, "string-enumeration": str}

    assert action.choices == choices
    assert action.required is False
    if parameter.tag == "boolean":
        assert action.nargs == 0
    elif parameter.find("constraints") is not None:
        kind = {"integer": int, "double": float}[parameter.tag]
        limits = [kind(text(parameter.find("constraints"), tag)) for tag in ("minimum", "maximum")]
        # Slicer sets the step of a slider before its range and refuses, with a warning, one above the initial range.
        assert 0 < float(text(parameter.find("constraints"), "step")) <= 99.99
        for limit, beyond in zip(limits, (limits[0] - 1, limits[1] + 1), strict=True):
            assert action.type(str(limit)) == limit
            with pytest.raises(argparse.ArgumentTypeError, match="is not between"):
                action.type(str(beyond))
    else:
        assert (action.type or str) is kinds[parameter.tag]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=names)
def test_slicer_and_the_command_line_have_the_same_defaults(parameter: ElementTree.Element) -> None:
    name, default = text(parameter, "name"), text(parameter, "default")
    parser = script.make_parser()
    untouched = getattr(parser.parse_args([]), name)
    passed = getattr(parser.parse_args(as_slicer_passes(parameter, default)), name)

    if name == "progress":
        assert (passed, untouched) == ("tags", "lines"), "by this flag the script recognises Slicer"
    else:
        assert passed == untouched
    if parameter.tag == "boolean":
        assert default == "false", "a flag without a value cannot be turned off"


def as_slicer_passes(parameter: ElementTree.Element, value: str) -> list[str]:
    """Return the arguments that vtkSlicerCLIModuleLogic passes for a parameter."""
    flag = text(parameter, "longflag")
    if parameter.tag == "boolean":
        return [flag] if value == "true" else []
    if parameter.tag in ("file", "directory") and not value:
        return []
    return [flag, value]


def test_the_choices_are_those_of_the_library() -> None:
    assert set(ACTIONS["variant"].choices) == set(VARIANTS)
    assert set(ACTIONS["preset"].choices) == set(PRESETS)


def test_a_missing_description_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a module description"):
        parser_from_xml(tmp_path / "none.xml")


def test_reports_are_thinned_except_the_first_and_the_last() -> None:
    shown, now = [], [0.0]
    with script.at_most_every(1.0, lambda fraction, message: shown.append(message), lambda: now[0]) as report:
        for step in range(22):
            report(step / 21, str(step))
            now[0] += 0.125

    assert shown == ["0", "8", "16", "21"]
