"""Centres of tracheas for meshes: one for all, or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import number_of, rows_of_table

COLUMNS = ("id", "r", "a", "s")
_LARGEST_MM = 10_000.0


@dataclass(frozen=True)
class Centres:
    """Centres of tracheas in `ras_mm`.

    Attributes
    ----------
    common : ndarray (3,) or None
        The centre for all meshes, if there is one.
    by_id : mapping of str to ndarray (3,)
        The centre by the name of the mesh without its suffix.
    table : Path or None
        The table they were read from.
    """

    common: np.ndarray | None
    by_id: Mapping[str, np.ndarray]
    table: Path | None = None

    def of(self, case_id: str) -> np.ndarray:
        """Return the centre (3,) for a case; `InputError` if the table has none."""
        found = self.by_id.get(case_id, self.common)
        if found is None:
            raise InputError(f"{self.table} has no row for the mesh {case_id}. Add one with its name in the column id.")
        return found


def centres_of(given: str | Path | tuple[float, float, float]) -> Centres:
    """Return the centres that a user states.

    Parameters
    ----------
    given : three lengths, text or path
        The right, anterior and superior coordinate in mm, as numbers or as "R,A,S"; or a table (CSV) with the columns
        id, r, a and s.

    Raises
    ------
    InputError
        The text is neither, the table cannot be read, a mesh is in it twice, or a coordinate is not a number.
    """
    if isinstance(given, tuple):
        return Centres(_checked(given, "The trachea centre"), {})
    parts = str(given).split(",")
    if len(parts) == 3:
        try:
            return Centres(_checked([number_of(part) for part in parts], "The trachea centre"), {})
        except ValueError:
            pass
    path = Path(given)
    if not path.exists():
        raise InputError(
            f"'{given}' is neither three coordinates such as 4.5,-12,30 (R, A, S in mm) nor a table. Give one of them."
        )
    columns, rows = rows_of_table(path)
    names = {name.lower(): name for name in columns}
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(f"{path} has no column '{missing[0]}'. Its columns must be {', '.join(COLUMNS)} (mm, RAS).")
    by_id: dict[str, np.ndarray] = {}
    for line, row in rows:
        case_id = row[names["id"]]
        if case_id in by_id:
            raise InputError(f"{path}, line {line}, has the mesh {case_id} a second time. Remove one of the rows.")
        try:
            by_id[case_id] = _checked([number_of(row[names[axis]]) for axis in COLUMNS[1:]], f"{path}, line {line},")
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}") from None
    if not by_id:
        raise InputError(f"{path} has no row under its first line. Add one for each mesh.")
    return Centres(None, by_id, path)


def _checked(values: tuple[float, ...] | list[float], what: str) -> np.ndarray:
    centre = np.array(values, dtype=np.float64)
    if centre.shape != (3,) or not (np.abs(centre) <= _LARGEST_MM).all():
        raise InputError(f"{what} is not a position in a patient. State three coordinates in mm.")
    return centre
