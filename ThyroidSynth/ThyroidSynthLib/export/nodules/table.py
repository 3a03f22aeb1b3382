"""Tables of nodules, one per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import number_of, rows_of_table

from .nodule import Nodule

_POSITION = ("r_mm", "a_mm", "s_mm")
_DIAMETERS = ("diameter_lr_mm", "diameter_ap_mm", "diameter_si_mm")
_ANGLES = ("angle_r_deg", "angle_a_deg", "angle_s_deg")
_CHOICES = ("part", "margin", "composition", "calcification")

NODULE_COLUMNS = ("phantom", *_CHOICES, *_POSITION, "diameter_mm", *_DIAMETERS, *_ANGLES, "bulge")
"""Columns of a table of nodules; any of them may be left out, except for a diameter and a place."""


@dataclass(frozen=True)
class TabledNodule:
    """A nodule of a table, and the number (from 1) of the phantom it belongs to, or None for all of them."""

    nodule: Nodule
    phantom: int | None = None


def nodules_of_phantom(nodules: Sequence[Nodule | TabledNodule], number: int) -> list[Nodule]:
    """Return the nodules of a phantom by its number, from 1; those without a number are in all of them."""
    tabled = [each if isinstance(each, TabledNodule) else TabledNodule(each) for each in nodules]
    return [each.nodule for each in tabled if each.phantom in (None, number)]


def read_nodule_table(path: Path | str) -> list[TabledNodule]:
    """Read a table of nodules.

    The file is CSV in UTF-8, separated by commas, semicolons or tabulators, with a header of `NODULE_COLUMNS`:
    ``part`` (right, left or isthmus) or the position ``r_mm``, ``a_mm``, ``s_mm`` in `ras_mm`, or both;
    ``diameter_mm``, or the three of ``diameter_lr_mm``, ``diameter_ap_mm`` and ``diameter_si_mm``; and what else is
    to differ from a solid nodule with a smooth margin inside the gland. An empty cell is as if the column were missing.

    Raises
    ------
    InputError
        The file is missing or has no rows, a column is unknown, or a nodule is impossible; with file and line.
    """
    path = Path(path)
    columns, rows = rows_of_table(path)
    for name in columns:
        if name and name not in NODULE_COLUMNS:
            raise InputError(
                f"{path} has the column '{name}', but the columns of a table of nodules are "
                f"{', '.join(NODULE_COLUMNS)}. Rename the column, or remove it."
            )
    if not rows:
        raise InputError(f"{path} has no row under its first line. Add one row for each nodule.")
    found = []
    for line, row in rows:
        try:
            found.append(_nodule_of({name: text for name, text in row.items() if name and text}))
        except (InputError, ValueError) as error:
            raise InputError(f"{path}, line {line}: {error}") from None
    return found


def _nodule_of(row: Mapping[str, str]) -> TabledNodule:
    """Return the nodule of a row of filled cells."""
    given: dict[str, Any] = {name: row[name].lower() for name in _CHOICES if name in row}
    given["diameters_mm"] = _diameters(row)
    if (position := _triple(row, _POSITION)) is not None:
        given["position_ras_mm"] = position
    if (angles := _triple(row, _ANGLES, missing=0.0)) is not None:
        given["angles_deg"] = angles
    if "bulge" in row:
        given["bulge"] = _share(row["bulge"])
    phantom = None
    if "phantom" in row:
        number = number_of(row["phantom"])
        if number < 1 or number != int(number):
            raise InputError(f"The phantom '{row['phantom']}' is no number of a phantom. Count them from 1.")
        phantom = int(number)
    return TabledNodule(Nodule(**given), phantom)


def _diameters(row: Mapping[str, str]) -> tuple[float, float, float]:
    single = number_of(row["diameter_mm"]) if "diameter_mm" in row else None
    three = _triple(row, _DIAMETERS, missing=single)
    if three is None and single is None:
        raise InputError("The nodule has no diameter. Fill in diameter_mm, or the three diameters.")
    return three if three is not None else (single, single, single)  # type: ignore[return-value]


def _triple(
    row: Mapping[str, str], names: tuple[str, str, str], missing: float | None = None
) -> tuple[float, float, float] | None:
    """Return the numbers of three columns, or None if all are empty."""
    if not any(name in row for name in names):
        return None
    absent = [name for name in names if name not in row]
    if absent and missing is None:
        raise InputError(f"{absent[0]} is empty. Fill in {', '.join(names)}, or none of them.")
    first, second, third = (number_of(row[name]) if name in row else float(missing or 0.0) for name in names)
    return first, second, third


def _share(text: str) -> float:
    return number_of(text[:-1]) / 100 if text.endswith("%") else number_of(text)
