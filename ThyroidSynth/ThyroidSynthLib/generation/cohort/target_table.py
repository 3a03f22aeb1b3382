"""Tables of wishes: the features asked of each thyroid of a cohort."""

from __future__ import annotations

import csv
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES


def read_targets(path: Path | str) -> list[dict[str, float | None]]:
    """Read a table of wishes, one thyroid a row.

    Parameters
    ----------
    path : Path
        CSV with a head line; columns `volume_ml`, `isthmus_area_mm2` and `symmetry`, any of them. An
        empty cell leaves that feature free. Other columns are not looked at.

    Raises
    ------
    InputError
        The file is missing, has none of these columns or no rows, or a cell is no number.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Give a CSV file in UTF-8.") from error
    first_line = text.partition("\n")[0]
    table = csv.DictReader(text.splitlines(), delimiter=";" if ";" in first_line else ",")
    # A blank after a comma must not turn a wish into a column that is not looked at.
    table.fieldnames = [name.strip() for name in table.fieldnames or ()]
    columns = [name for name in FEATURE_NAMES if name in (table.fieldnames or ())]
    if not columns:
        raise InputError(f"{path} has none of the columns {', '.join(FEATURE_NAMES)}. Name them in its first line.")
    targets = [{name: _cell(row[name], path, table.line_num, name) for name in columns} for row in table]
    if not targets:
        raise InputError(f"{path} has no row under its first line. Add one row for each thyroid.")
    return targets


def _cell(text: str | None, path: Path, line: int, name: str) -> float | None:
    text = (text or "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path}, line {line}: '{text}' is no number for {name}. Write it with a dot.") from None
