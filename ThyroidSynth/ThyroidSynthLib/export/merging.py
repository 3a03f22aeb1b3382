"""Replacing the thyroid of a patient's label map by another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.locks import new_file
from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.geometry.grid import Grid, box_of
from ThyroidSynthLib.geometry.resampling import resampled
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap
from ThyroidSynthLib.imaging.labels import THYROID, part_called
from ThyroidSynthLib.imaging.volume_files import files_of_image


@dataclass(frozen=True)
class MergeRules:
    """How a thyroid is merged into a label map.

    Attributes
    ----------
    thyroid_label : int, optional
        Label of the new thyroid; by default the one named as the thyroid, or a new one. The old thyroid
        consists of all voxels with this label or a label named as the thyroid or one of its lobes.
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
class NeighbourChange:
    """What merging changed of another structure: its volume, and its number of components (26-connected)."""

    label: int
    name: str
    before_ml: float
    after_ml: float
    components_before: int
    components_after: int

    def __str__(self) -> str:
        """Return the change in words, as in ``esophagus lost 0.31 mL and broke into 2 components``."""
        change = self.after_ml - self.before_ml
        if self.after_ml == 0:
            return f"{self.name} lost all of its {self.before_ml:.2f} mL and is no longer in the map"
        text = f"{self.name} {'gained' if change > 0 else 'lost'} {abs(change):.2f} mL"
        if self.components_after > self.components_before:
            text += f" and broke into {self.components_after} components"
            text += f" (before: {self.components_before})" if self.components_before > 1 else ""
        return text


@dataclass(frozen=True)
class Merged:
    """A label map in which the thyroid was replaced, with warnings such as that no old thyroid was found.

    Attributes
    ----------
    old_ml, new_ml, written_ml : float
        Voxel volume of the old thyroid, of the new one, and of the part of the new one that is in the map.
    overlaps : tuple of Overlap
        Largest first.
    changes : tuple of NeighbourChange
        Other structures that are not as they were, the most changed first.
    """

    labels: LabelMap
    thyroid_label: int
    old_ml: float
    new_ml: float
    written_ml: float
    overlaps: tuple[Overlap, ...]
    changes: tuple[NeighbourChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def thyroid(self) -> Volume:
        """The thyroid that is in the map, 1 inside."""
        return Volume((self.labels.volume.array == self.thyroid_label).view(np.uint8), self.labels.volume.ijk_to_ras)

    def save(self, path: Path | str) -> None:
        """Write the map with the names and colours of its labels, in one of `LABEL_FORMATS`.

        `OutputError` if the file exists already or cannot be written.
        """
        with new_file(*files_of_image(path)):
            write_label_map(self.labels.volume, path, names=self.labels.names, looks=self.labels.looks)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers for a manifest."""
        return {
            "thyroid_label": self.thyroid_label,
            "old_ml": self.old_ml,
            "new_ml": self.new_ml,
            "written_ml": self.written_ml,
            "overlaps": [asdict(overlap) for overlap in self.overlaps],
            "changes": [asdict(change) for change in self.changes],
            "notes": list(self.notes),
        }


def replace_thyroid(labels: LabelMap, thyroid: Volume, rules: MergeRules = MergeRules()) -> Merged:
    """Replace the thyroid of a label map, which is not changed, by one on the same grid, non-zero inside.

    Names of labels that have no voxel left are removed.

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
    voxel_ml = labels.volume.voxel_volume_ml
    counts = np.bincount(before[new & ~old].ravel(), minlength=1)
    overlaps = [
        Overlap(int(other), labels.names.get(int(other), f"label {other}"), float(counts[other]) * voxel_ml)
        for other in np.flatnonzero(counts)
        if other != BACKGROUND
    ]
    after = before.astype(np.uint16) if label > np.iinfo(before.dtype).max else before.copy()
    after[old] = rules.old_becomes
    written = new if rules.overwrite else new & (old | (before == BACKGROUND))
    after[written] = label
    touched = {overlap.label for overlap in overlaps} if rules.overwrite else set()
    changes = _changes(labels, after, touched | ({rules.old_becomes} - {BACKGROUND}))
    names = {number: name for number, name in labels.names.items() if number not in replaced}
    gone = {change.label for change in changes if change.after_ml == 0}
    written_ml = float(np.count_nonzero(written)) * voxel_ml
    looks = {number: look for number, look in labels.looks.items() if number not in replaced - {label}}
    if written_ml > 0:
        names[label] = _thyroid_name(labels, label)
        if names[label] != labels.names.get(label):
            # Terminology of a lobe does not fit the whole gland.
            looks.pop(label, None)
    return Merged(
        labels=replace(
            labels,
            volume=Volume(after, labels.volume.ijk_to_ras),
            names={number: name for number, name in sorted(names.items()) if number not in gone},
            looks=looks,
        ),
        thyroid_label=label,
        old_ml=float(np.count_nonzero(old)) * voxel_ml,
        new_ml=float(np.count_nonzero(new)) * voxel_ml,
        written_ml=written_ml,
        overlaps=tuple(sorted(overlaps, key=lambda overlap: -overlap.volume_ml)),
        changes=changes,
        notes=(*labels.notes, *merging_notes(labels, rules)),
    )


def changes_in(merged: Mapping[str, Any]) -> list[str]:
    """Return what a merged map, given by its `to_json`, changed of other structures, in words."""
    return [str(NeighbourChange(**change)) for change in merged["changes"]]


def merging_notes(labels: LabelMap, rules: MergeRules) -> tuple[str, ...]:
    """Return warnings: no old thyroid was found in the map, where it may have another name, or its lobes were joined.

    `InputError` if the thyroid's label is impossible or another structure's, or the map has no label `old_becomes`.
    """
    label, _ = _replaced_labels(labels, rules)
    named = labels.thyroid_labels()
    present = _present(labels, named)
    if len(present) > 1:
        listed = ", ".join(f"{number} ({labels.names[number]})" for number in present)
        return (f"labels {listed} are all parts of the old thyroid; the new one has label {label}",)
    if present or label in rules.old_labels or (labels.volume.array == label).any():
        return ()
    others = [f"{number} ({name})" for number, name in sorted(labels.names.items()) if number not in named]
    why = (
        f"label {named[0]} ({labels.names[named[0]]}) has no voxel"
        if named
        else f"no label of the map is named as the thyroid, and none has the number {label}"
    )
    return (
        f"no old thyroid was removed: {why}. If the map has a thyroid, choose its label. Labels of the map: "
        f"{listed_shortly(others) or 'none'}",
    )


def resolved(labels: LabelMap, rules: MergeRules) -> MergeRules:
    """Return rules that name every label of the thyroid in a map, so that they also hold for a part of it.

    `InputError` as in `merging_notes`.
    """
    label, replaced = _replaced_labels(labels, rules)
    return replace(rules, thyroid_label=label, old_labels=tuple(sorted(replaced)))


def on_grid(labels: LabelMap, grid: Grid) -> LabelMap:
    """Return a label map on another grid, each voxel with the label of the nearest voxel, which its notes state.

    Structures of which no voxel is left lose their names, which a note states; the thyroid keeps its name and label.
    """
    source = labels.volume
    if source.array.shape == grid.shape and source.grid.corner_distance_mm(grid) < 1e-3 * grid.spacing_mm.min():
        return labels
    volume = resampled(source, grid)
    thyroid = set(labels.thyroid_labels())
    had, has = (set(np.flatnonzero(_counts(each.array)).tolist()) for each in (source, volume))
    gone = {label: labels.names.get(label, f"label {label}") for label in sorted(had - has - thyroid)}
    spacing = " x ".join(f"{value:.3g}" for value in grid.spacing_mm)
    notes = [
        *labels.notes,
        f"the map was resampled to voxels of {spacing} mm, each with the label of the nearest voxel",
    ]
    if gone:
        notes.append(f"no voxel of the grid lies in {listed_shortly(list(gone.values()))}: not in the merged map")
    kept = {label: name for label, name in labels.names.items() if label not in gone}
    return replace(labels, volume=volume, names=kept, notes=tuple(notes))


def _changes(labels: LabelMap, after: np.ndarray, touched: Iterable[int]) -> tuple[NeighbourChange, ...]:
    """Return the changes of some labels of a map, the largest first."""
    before, voxel_ml = labels.volume.array, labels.volume.voxel_volume_ml
    changes = []
    for label in touched:
        own, now = before == label, after == label
        box = box_of(own | now)
        own_ml, now_ml = (float(np.count_nonzero(each[box])) * voxel_ml for each in (own, now))
        if own_ml != now_ml:
            name = labels.names.get(label, f"label {label}")
            changes.append(NeighbourChange(label, name, own_ml, now_ml, _components(own[box]), _components(now[box])))
    return tuple(sorted(changes, key=lambda change: -abs(change.after_ml - change.before_ml)))


def _components(mask: np.ndarray) -> int:
    from scipy.ndimage import label

    return int(label(mask, np.ones((3, 3, 3), dtype=bool))[1])


def _counts(array: np.ndarray) -> np.ndarray:
    """Return the number of voxels of each label; slice by slice, because counting needs 8 bytes per voxel."""
    counts = np.zeros(int(array.max(initial=0)) + 1, dtype=np.int64)
    for part in array:
        counts += np.bincount(part.ravel(), minlength=len(counts))
    return counts


def _thyroid_name(labels: LabelMap, label: int) -> str:
    """Return the name of the new thyroid: that of its label, unless that is only a part of the old thyroid."""
    name = labels.names.get(label)
    part = None if name is None else part_called(name)
    return THYROID.name if name is None or (part is not None and part.side) else name


def _replaced_labels(labels: LabelMap, rules: MergeRules) -> tuple[int, set[int]]:
    """Return the label of the new thyroid, and all labels whose voxels it replaces."""
    label = _thyroid_label(labels, rules)
    replaced = {label, *rules.old_labels, *labels.thyroid_labels()}
    if rules.old_becomes not in (BACKGROUND, *labels.names) or rules.old_becomes in replaced:
        raise InputError(f"The old thyroid cannot become label {rules.old_becomes}. Choose 0 or another structure.")
    return label, replaced


def _present(labels: LabelMap, among: list[int]) -> list[int]:
    """Return those of some labels that have voxels."""
    return [label for label in among if (labels.volume.array == label).any()]


def _thyroid_label(labels: LabelMap, rules: MergeRules) -> int:
    chosen, named = rules.thyroid_label, labels.thyroid_labels()
    if chosen is None:
        parts = {label: part_called(labels.names[label]) for label in named}
        wholes = [label for label, part in parts.items() if part is None or not part.side]
        return next(iter([*wholes, *named]), max([*labels.names, int(labels.volume.array.max()), 0]) + 1)
    if not 0 < chosen <= np.iinfo(np.uint16).max:
        raise InputError(f"The thyroid cannot have label {chosen}. Choose a whole number from 1 to 65535.")
    if chosen in labels.names.keys() - {*named, *rules.old_labels} and (present := _present(labels, named)):
        thyroids = " and ".join(f"{label} ({labels.names[label]})" for label in present)
        raise InputError(
            f"Label {chosen} is {labels.names[chosen]} in the map, and its thyroid has label {thyroids}. Choose no "
            "label, one that is not used, or correct the names."
        )
    return chosen
