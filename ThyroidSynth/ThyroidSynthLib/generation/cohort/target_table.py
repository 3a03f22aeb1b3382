"""Tables with the targets of each thyroid of a cohort."""

from __future__ import annotations

import csv
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets


def read_targets(path: Path | str) -> list[Targets]:
    """Read a table of targets, one thyroid per row.

    The file is CSV in UTF-8, separated by commas or semicolons, with a header; any of the columns `volume_ml`,
    `isthmus_area_mm2` and `symmetry`. An empty cell leaves the feature free. Other columns are ignored.

    Raises
    ------
    InputError
        The file is missing, has none of these columns or no rows, or a cell is not a possible number.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Choose a CSV file in UTF-8.") from error
    header = text.partition("\n")[0]
    table = csv.DictReader(text.splitlines(), delimiter=";" if ";" in header else ",")
    # With a blank after a comma the name of the column would not be recognised.
    table.fieldnames = [name.strip() for name in table.fieldnames or ()]
    columns = [name for name in FEATURE_NAMES if name in table.fieldnames]
    if not columns:
        raise InputError(f"{path} has none of the columns {', '.join(FEATURE_NAMES)}. Name them in its first line.")
    targets = []
    for row in table:
        try:
            targets.append(Targets.of({name: _number(row[name], name) for name in columns}))
        except InputError as error:
            raise InputError(f"{path}, line {table.line_num}: {error}") from None
    if not targets:
        raise InputError(f"{path} has no row under its first line. Add one row for each thyroid.")
    return targets


def _number(text: str | None, name: str) -> float | None:
    text = (text or "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"'{text}' is not a number for {name}. Write it with a decimal point.") from None
