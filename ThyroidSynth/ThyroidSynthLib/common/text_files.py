"""Reading of text, JSON and tables that a user may have written: every fault becomes a message with the file."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .errors import InputError
from .reading import checked_file

LARGEST_TEXT = 64 << 20
"""Bytes of a text file that a user writes, such as a table."""

LARGEST_JSON = 1 << 30
"""Bytes of a document of this library: that of a cohort of 100,000 cases has some 200 MB."""

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""A number in ASCII, with a decimal point."""

_LONGEST_SHOWN = 40
_MOST_LISTED = 8


def read_text(path: Path | str, *, largest: int = LARGEST_TEXT) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises
    ------
    InputError
        The file is missing, cannot be read, has more than `largest` bytes or is not text in UTF-8.
    """
    size = checked_file(path)
    if size > largest:
        raise InputError(
            f"{path} has {size / 1e6:,.0f} MB, and text of at most {largest / 1e6:,.0f} MB is read. "
            "Check that it is the right file."
        )
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its permissions and the disk.") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} is text in UTF-16. Save it in UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path} is not text in UTF-8 (line {line}). Save it in UTF-8.") from None
    if "\0" in text:
        raise InputError(f"{path} is not text (it has zero bytes). Restore it or create it again.")
    return text


def parse_json(text: str, path: Path | str, *, unique: bool = False) -> Any:
    """Return the value of a JSON text; `InputError` with the path of its file if it is not JSON.

    With `unique`, for files that users write, an object must not have the same key twice.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is not a number in JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
            raise ValueError(f"the key '{twice}' occurs twice")
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=once if unique else None)
    except RecursionError:
        fault = "it is nested too deeply"
    except ValueError as error:
        # Python's own words for a number of thousands of digits name a function of Python.
        fault = "a number has too many digits" if "integer string conversion" in str(error) else str(error)
    raise InputError(f"{path} cannot be read as JSON ({fault}). Restore it or create it again.")


def entry(document: Any, *keys: str, kind: type) -> Any:
    """Return an entry of a JSON document, such as ``entry(document, "frame", "alignment", kind=str)``.

    `kind` is one of `str`, `bool`, `int`, `float` (any finite number), `list` and `dict`. Raises `ValueError` with the
    entry's name if it is missing or of another kind.
    """
    value = document
    for depth, key in enumerate(keys):
        if not isinstance(value, dict):
            raise ValueError(f"{_named(keys[:depth])} is not an object")
        if key not in value:
            raise ValueError(f"{_named(keys[: depth + 1])} is missing")
        value = value[key]
    if not is_kind(value, kind):
        raise ValueError(f"{_named(keys)} is not {_KINDS[kind]}")
    return value


def is_kind(value: Any, kind: type) -> bool:
    """Check whether a JSON value is of a kind of `entry`; True and False are no numbers."""
    if kind in (int, float):
        allowed = int if kind is int else (int, float)
        # A whole number of hundreds of digits is no float.
        return isinstance(value, allowed) and not isinstance(value, bool) and abs(value) < 1e300
    return isinstance(value, kind)


_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    list: "a list",
    dict: "an object",
}


def _named(keys: Iterable[str]) -> str:
    name = "/".join(keys)
    return f"its entry '{name}'" if name else "it"


def rows_of_table(path: Path | str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read a table (CSV, separated by commas, semicolons or tabulators) with its columns in the first line.

    Returns
    -------
    list of str
        The names of the columns.
    list of tuple
        Of each row its line number and its cells by column, without surrounding blanks; cells that are missing at the
        end of a row are empty.

    Raises
    ------
    InputError
        The file cannot be read as text or as a table, has a column twice, or a row has more cells than columns.
    """
    text = read_text(path)
    header = text.partition("\n")[0]
    delimiter = next((mark for mark in (";", "\t") if mark in header), ",")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    columns: list[str] = []
    rows = []
    try:
        for number, cells in enumerate(lines):
            plain = [cell.strip() for cell in cells]
            if number == 0:
                columns = plain
                _check_columns(path, columns)
            elif any(plain):
                if any(plain[len(columns) :]):
                    raise InputError(
                        f"{path}, line {lines.line_num}, has more cells than the first line has columns. Write numbers "
                        "with a decimal point, and a text that has a separator in quotes."
                    )
                rows.append((lines.line_num, dict(zip(columns, plain + [""] * len(columns), strict=False))))
    except csv.Error as error:
        fault = "a quote is not closed" if "unexpected end" in str(error) else str(error)
        where = f"{path}, line {lines.line_num},"
        raise InputError(f"{where} cannot be read as a table ({fault}). Correct the line.") from None
    return columns, rows


def _check_columns(path: Path | str, columns: list[str]) -> None:
    named = [name for name in columns if name]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise InputError(f"{path} has the column '{shortened(twice)}' twice. Remove one of them.")


def number_of(text: str) -> float:
    """Return the number that a text states, in ASCII with a decimal point; `ValueError` for all others, also nan."""
    plain = text.strip()
    if not NUMBER.fullmatch(plain):
        raise ValueError(f"'{shortened(text)}' is not a number. Write it with a decimal point, as in 1.5.")
    value = float(plain)
    if math.isinf(value):
        raise ValueError(f"{shortened(plain)} is too large a number. Correct it.")
    return value


def shortened(text: str) -> str:
    """Return a text of a file or an option as a message shows it: a damaged file may have text of any length."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def listed_shortly(names: Sequence[str]) -> str:
    """Return names in one line, the first few of them."""
    return ", ".join(names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")
