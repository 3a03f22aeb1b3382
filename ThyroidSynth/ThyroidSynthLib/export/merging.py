"""Replacing the thyroid of a patient's label map by another one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap
from ThyroidSynthLib.imaging.labels import THYROID


@dataclass(frozen=True)
class MergeRules:
    """How a thyroid is merged into a label map.

    Attributes
    ----------
    thyroid_label : int, optional
        Label of the new thyroid; by default the one named as the thyroid, or a new one. The old thyroid
        consists of all voxels with this label or a label named as the thyroid.
    old_becomes : int
        Label for voxels that the old thyroid filled and the new one does not.
    overwrite : bool
        Whether the new thyroid replaces other structures where they overlap; otherwise they are kept.
    old_labels : tuple of int
        Further labels of the old thyroid, whatever their names.
    """

    thyroid_label: int | None = None
    old_becomes: int = BACKGROUND
    overwrite: bool = False
    old_labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Overlap:
    """Overlap of the new thyroid with another structure of the map: the volume that both share."""

    label: int
    name: str
    volume_ml: float


@dataclass(frozen=True)
class Merged:
    """A label map in which the thyroid was replaced, with warnings such as that no old thyroid was found.

    Attributes
    ----------
    old_ml, new_ml, written_ml : float
        Voxel volume of the old thyroid, of the new one, and of the part of the new one that is in the map.
    overlaps : tuple of Overlap
        Largest first.
    """

    labels: LabelMap
    thyroid_label: int
    old_ml: float
    new_ml: float
    written_ml: float
    overlaps: tuple[Overlap, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the numbers for a manifest."""
        return {
            "thyroid_label": self.thyroid_label,
            "old_ml": self.old_ml,
            "new_ml": self.new_ml,
            "written_ml": self.written_ml,
            "overlaps": [asdict(overlap) for overlap in self.overlaps],
            "notes": list(self.notes),
        }


def replace_thyroid(labels: LabelMap, thyroid: Volume, rules: MergeRules = MergeRules()) -> Merged:
    """Replace the thyroid of a label map, which is not changed, by one on the same grid, non-zero inside.

    Raises
    ------
    InputError
        The grids differ, the map has no label `old_becomes`, or the thyroid's label is another structure's.
    """
    before = labels.volume.array
    if thyroid.array.shape != before.shape or not np.allclose(thyroid.ijk_to_ras, labels.volume.ijk_to_ras, atol=1e-4):
        raise InputError("The thyroid and the label map have different grids. Fill the thyroid on the map's grid.")
    label, replaced = _replaced_labels(labels, rules)
    new, old = thyroid.array != 0, np.isin(before, list(replaced))
    names = {number: name for number, name in labels.names.items() if number == label or number not in replaced}
    names.setdefault(label, THYROID.name)
    voxel_ml = labels.volume.voxel_volume_ml
    counts = np.bincount(before[new & ~old].ravel(), minlength=1)
    overlaps = [
        Overlap(int(other), names.get(int(other), f"label {other}"), float(counts[other]) * voxel_ml)
        for other in np.flatnonzero(counts)
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
        tuple(sorted(overlaps, key=lambda overlap: -overlap.volume_ml)),
        merging_notes(labels, rules),
    )


def merging_notes(labels: LabelMap, rules: MergeRules) -> tuple[str, ...]:
    """Return a warning if no old thyroid was found in the map, where it may have another name.

    `InputError` if the thyroid's label is impossible or another structure's, or the map has no label `old_becomes`.
    """
    label, _ = _replaced_labels(labels, rules)
    if labels.thyroid_labels() or label in rules.old_labels or (labels.volume.array == label).any():
        return ()
    listed = ", ".join(f"{number} ({name})" for number, name in sorted(labels.names.items())[:8])
    more = ", …" if len(labels.names) > 8 else ""
    return (
        f"no old thyroid was removed: no label of the map is named as the thyroid, and none has the number {label}. "
        f"If the map has a thyroid, choose its label. Labels of the map: {listed or 'none'}{more}",
    )


def _replaced_labels(labels: LabelMap, rules: MergeRules) -> tuple[int, set[int]]:
    """Return the label of the new thyroid, and all labels whose voxels it replaces."""
    label = _thyroid_label(labels, rules)
    replaced = {label, *rules.old_labels, *labels.thyroid_labels()}
    if rules.old_becomes not in (BACKGROUND, *labels.names) or rules.old_becomes in replaced:
        raise InputError(f"The old thyroid cannot become label {rules.old_becomes}. Choose 0 or another structure.")
    return label, replaced


def _thyroid_label(labels: LabelMap, rules: MergeRules) -> int:
    chosen = rules.thyroid_label
    if chosen is None:
        found = labels.thyroid_label()
        return found if found is not None else max([*labels.names, int(labels.volume.array.max()), 0]) + 1
    if not 0 < chosen <= np.iinfo(np.uint16).max:
        raise InputError(f"The thyroid cannot have label {chosen}. Choose a whole number from 1 to 65535.")
    named = labels.thyroid_labels()
    if named and chosen in labels.names.keys() - {*named, *rules.old_labels}:
        thyroids = " and ".join(f"{label} ({labels.names[label]})" for label in named)
        raise InputError(
            f"Label {chosen} is {labels.names[chosen]} in the map, and its thyroid has label {thyroids}. Choose no "
            "label, one that is not used, or correct the names."
        )
    return chosen
