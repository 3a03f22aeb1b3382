"""Tables with the targets of each thyroid of a cohort."""

from __future__ import annotations

from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import number_of, rows_of_table
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets

_STEMS = ("volume", "isthmus", "symmetry")


def read_targets(path: Path | str) -> list[Targets]:
    """Read a table of targets, one thyroid per row.

    The file is CSV in UTF-8, separated by commas, semicolons or tabulators, with a header; any of the columns
    `volume_ml`, `isthmus_area_mm2` and `symmetry`. An empty cell leaves the feature free. Other columns are ignored,
    unless they seem to be targets under another name.

    Raises
    ------
    InputError
        The file is missing, has none of these columns, one such as "Volume" or no rows, or a cell is not a possible
        number.
    """
    path = Path(path)
    present, rows = rows_of_table(path)
    columns = [name for name in FEATURE_NAMES if name in present]
    for name in present:
        if name not in columns and name.lower().lstrip().startswith(_STEMS):
            raise InputError(
                f"{path} has the column '{name}', but columns of targets are {', '.join(FEATURE_NAMES)}. "
                "Rename the column, or remove it."
            )
    if not columns:
        raise InputError(f"{path} has none of the columns {', '.join(FEATURE_NAMES)}. Name them in its first line.")
    targets = []
    for line, row in rows:
        try:
            targets.append(Targets.of({name: _number(row[name], name) for name in columns}))
        except InputError as error:
            raise InputError(f"{path}, line {line}: {error}") from None
    if not targets:
        raise InputError(f"{path} has no row under its first line. Add one row for each thyroid.")
    return targets


def _number(text: str, name: str) -> float | None:
    try:
        return number_of(text) if text else None
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
