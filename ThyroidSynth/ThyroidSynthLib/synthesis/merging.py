"""A patient's map of structures with the thyroid replaced by another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..anatomy.label_maps import BACKGROUND, LabelMap
from ..anatomy.labels import THYROID
from ..anatomy.volume import Volume
from ..errors import InputError


@dataclass(frozen=True)
class MergeRules:
    """How a thyroid is put into a map.

    Attributes
    ----------
    thyroid_label : int, optional
        The thyroid's label; by default the one named so, or a new one where none is.
    old_becomes : int
        Label of the old thyroid's voxels where the new one leaves them.
    overwrite : bool
        Whether the new thyroid covers other structures; otherwise it keeps out of them.
    """

    thyroid_label: int | None = None
    old_becomes: int = BACKGROUND
    overwrite: bool = False


@dataclass(frozen=True)
class Overlap:
    """What a new thyroid shares with another structure of the map.

    Attributes
    ----------
    label : int
        The structure's label.
    name : str
        Its name.
    volume_ml : float
        What both claim.
    """

    label: int
    name: str
    volume_ml: float


@dataclass(frozen=True)
class Merged:
    """A map with another thyroid.

    Attributes
    ----------
    labels : LabelMap
        The whole map.
    thyroid_label : int
        Label of the new thyroid.
    old_ml, new_ml, written_ml : float
        Voxel volume of the old thyroid, of the new one, and of what of the new one is in the map.
    overlaps : tuple of Overlap
        With which structures the new one overlaps, largest first.
    """

    labels: LabelMap
    thyroid_label: int
    old_ml: float
    new_ml: float
    written_ml: float
    overlaps: tuple[Overlap, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the numbers for a manifest."""
        return {
            "thyroid_label": self.thyroid_label,
            "old_ml": self.old_ml,
            "new_ml": self.new_ml,
            "written_ml": self.written_ml,
            "overlaps": [
                {"label": each.label, "name": each.name, "volume_ml": each.volume_ml} for each in self.overlaps
            ],
        }


def replace_thyroid(labels: LabelMap, thyroid: Volume, rules: MergeRules = MergeRules()) -> Merged:
    """Replace the thyroid of a map.

    Parameters
    ----------
    labels : LabelMap
        The patient's; it is not changed.
    thyroid : Volume
        The new thyroid on the same grid, non-zero inside.
    rules : MergeRules
        How.

    Raises
    ------
    InputError
        The grids differ, or the map has no such labels.
    """
    before = labels.volume.array
    if thyroid.array.shape != before.shape or not np.allclose(thyroid.ijk_to_ras, labels.volume.ijk_to_ras, atol=1e-4):
        raise InputError("The thyroid and the label map lie on different grids. Fill the thyroid on the map's grid.")
    names, label = dict(labels.names), _thyroid_label(labels, rules)
    names.setdefault(label, THYROID.name)
    if rules.old_becomes not in (BACKGROUND, *labels.names) or rules.old_becomes == label:
        raise InputError(f"The old thyroid cannot become label {rules.old_becomes}. Choose 0 or another structure.")
    new, old = thyroid.array != 0, before == label
    voxel_ml = labels.volume.voxel_volume_ml
    claimed = np.bincount(before[new & ~old].ravel(), minlength=1)
    overlaps = [
        Overlap(int(other), names.get(int(other), f"label {other}"), float(claimed[other]) * voxel_ml)
        for other in np.flatnonzero(claimed)
        if other != BACKGROUND
    ]
    after = before.astype(np.uint16) if label > np.iinfo(before.dtype).max else before.copy()
    after[old] = rules.old_becomes
    written = new if rules.overwrite else new & (old | (before == BACKGROUND))
    after[written] = label
    return Merged(
        LabelMap(Volume(after, labels.volume.ijk_to_ras), names),
        label,
        float(old.sum()) * voxel_ml,
        float(new.sum()) * voxel_ml,
        float(written.sum()) * voxel_ml,
        tuple(sorted(overlaps, key=lambda each: -each.volume_ml)),
    )


def _thyroid_label(labels: LabelMap, rules: MergeRules) -> int:
    if rules.thyroid_label is not None:
        if not 0 < rules.thyroid_label < np.iinfo(np.uint16).max:
            raise InputError(f"The thyroid cannot have label {rules.thyroid_label}. Choose a whole number from 1 on.")
        return rules.thyroid_label
    found = labels.thyroid_label()
    return found if found is not None else max([*labels.names, int(labels.volume.array.max()), 0]) + 1
