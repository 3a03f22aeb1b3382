"""A patient's map of structures with the thyroid replaced by another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap
from ThyroidSynthLib.imaging.labels import THYROID


@dataclass(frozen=True)
class MergeRules:
    """How a thyroid is put into a map.

    Attributes
    ----------
    thyroid_label : int, optional
        Label to write; by default the one named as the thyroid, or a new one where none is. The old thyroid is
        what has this label or is named as the thyroid.
    old_becomes : int
        Label of the old thyroid's voxels where the new one leaves them.
    overwrite : bool
        Whether the new thyroid covers other structures; otherwise it keeps out of them.
    old_labels : tuple of int
        Labels known to be the old thyroid's, whatever their names.
    """

    thyroid_label: int | None = None
    old_becomes: int = BACKGROUND
    overwrite: bool = False
    old_labels: tuple[int, ...] = ()


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
    notes : tuple of str
        What a user should know, such as that no old thyroid was found.
    """

    labels: LabelMap
    thyroid_label: int
    old_ml: float
    new_ml: float
    written_ml: float
    overlaps: tuple[Overlap, ...]
    notes: tuple[str, ...] = ()

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
            "notes": list(self.notes),
        }


def replace_thyroid(labels: LabelMap, thyroid: Volume, rules: MergeRules = MergeRules()) -> Merged:
    """Replace the thyroid of a map.

    The old thyroid goes whatever its label: all voxels with a label that is named as the thyroid, and those
    with the label that is to be written.

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
        The grids differ, the map has no such labels, or the label to write is another structure's.
    """
    before = labels.volume.array
    if thyroid.array.shape != before.shape or not np.allclose(thyroid.ijk_to_ras, labels.volume.ijk_to_ras, atol=1e-4):
        raise InputError("The thyroid and the label map lie on different grids. Fill the thyroid on the map's grid.")
    label = _thyroid_label(labels, rules)
    replaced = {label, *rules.old_labels, *labels.thyroid_labels()}
    if rules.old_becomes not in (BACKGROUND, *labels.names) or rules.old_becomes in replaced:
        raise InputError(f"The old thyroid cannot become label {rules.old_becomes}. Choose 0 or another structure.")
    new, old = thyroid.array != 0, np.isin(before, list(replaced))
    names = {number: name for number, name in labels.names.items() if number == label or number not in replaced}
    names.setdefault(label, THYROID.name)
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
        merging_notes(labels, rules),
    )


def merging_notes(labels: LabelMap, rules: MergeRules) -> tuple[str, ...]:
    """Return a note where the map's old thyroid is not known: it may be there under another name.

    Raises
    ------
    InputError
        The label to write is impossible or another structure's.
    """
    label = _thyroid_label(labels, rules)
    if labels.thyroid_labels() or label in rules.old_labels or (labels.volume.array == label).any():
        return ()
    listed = ", ".join(f"{number} ({name})" for number, name in sorted(labels.names.items())[:8])
    more = ", …" if len(labels.names) > 8 else ""
    return (
        f"no old thyroid was removed: no label of the map is named as one, and none has the number {label}. If the "
        f"map holds a thyroid, give its label. Labels of the map: {listed or 'none'}{more}",
    )


def _thyroid_label(labels: LabelMap, rules: MergeRules) -> int:
    if rules.thyroid_label is not None:
        if not 0 < rules.thyroid_label < np.iinfo(np.uint16).max:
            raise InputError(f"The thyroid cannot have label {rules.thyroid_label}. Choose a whole number from 1 on.")
        named = labels.thyroid_labels()
        if named and rules.thyroid_label in labels.names.keys() - {*named, *rules.old_labels}:
            told = " and ".join(f"{label} ({labels.names[label]})" for label in named)
            raise InputError(
                f"Label {rules.thyroid_label} is {labels.names[rules.thyroid_label]} in the map, and its thyroid has "
                f"label {told}. Leave the thyroid's label out, choose a free one, or correct the names."
            )
        return rules.thyroid_label
    found = labels.thyroid_label()
    return found if found is not None else max([*labels.names, int(labels.volume.array.max()), 0]) + 1
