"""Putting a thyroid into a neck: neighbours give way or stay, and every voxel keeps a label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.neck.neck import Neck
from ThyroidSynthLib.export.neck.phantom_labels import FAT, GLAND_PARTS, MUSCLE, SOFT_TISSUE, THYROID_LABEL, TISSUES
from ThyroidSynthLib.geometry.grid import box_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.labels import THYROID

from .lobes import lobes_of
from .motion import Motion, yielding_motion

YIELD, KEEP = NEIGHBOURS = ("yield", "keep")
"""What soft neighbours do: give way to the thyroid, or stay and keep their voxels."""

# A neighbour whose volume the motion changes gets it back by at most this share, in voxels at its surface.
_MOST_RESTORED = 0.1
_TISSUE_LABELS = tuple(TISSUES[name] for name in (SOFT_TISSUE, FAT, MUSCLE))


@dataclass(frozen=True)
class Composed:
    """A neck with a thyroid in it.

    Attributes
    ----------
    labels : LabelMap
        A label in every voxel.
    parts : mapping of int to Surface
        Closed surfaces in `ras_mm` of the thyroid, or of its lobes and isthmus, by label.
    gland : Volume
        Mask (uint8) of the thyroid's voxels.
    motion : Motion or None
        How the neck gave way; None if it did not.
    document : mapping
        Overlaps and neighbours before and after.
    """

    labels: LabelMap
    parts: Mapping[int, Surface]
    gland: Volume
    motion: Motion | None
    document: Mapping[str, Any]


def compose(neck: Neck, gland: Surface, *, neighbours: str = YIELD, lobes: bool = False, own: bool = False) -> Composed:
    """Put a thyroid into a neck.

    Parameters
    ----------
    gland : Surface
        Closed surface in `ras_mm`. Voxels of rigid structures are left to these.
    neighbours : str
        One of `NEIGHBOURS`.
    lobes : bool
        Whether the gland has a label for each lobe and the isthmus.
    own : bool
        Whether it is the patient's own gland, for which nothing has to give way.

    Raises
    ------
    InputError
        No voxel of the thyroid is left.
    """
    grid = neck.grid
    inside = voxelise(gland, grid).array != 0
    rigid = neck.rigid.array != 0
    kept = inside & ~rigid
    if neighbours == KEEP:
        kept &= neck.soft.array == 0
    if not kept[neck.box].any():
        raise InputError(
            "No voxel of the thyroid is left: it lies outside the grid, in other structures, or is smaller than a "
            "voxel. Choose a larger or finer grid."
        )
    motion = yielding_motion(neck.own, gland, neck.rigid) if neighbours == YIELD and not own else None
    array = _surroundings(neck, motion, rigid)
    outside = np.count_nonzero(kept & (array == 0))
    array[kept] = THYROID_LABEL
    moved = np.bincount(array.ravel())
    restored = _restore_volumes(array, neck, kept, rigid) if motion is not None else {}
    names = neck.filled.names | {THYROID_LABEL: THYROID.name}
    parts = {THYROID_LABEL: gland}
    if lobes:
        found = lobes_of(gland, neck.placement)
        parts = {GLAND_PARTS[name]: surface for name, surface in found.items()}
        names = {label: name for label, name in names.items() if label != THYROID_LABEL}
        names |= {GLAND_PARTS[name]: name for name in found}
        _label_lobes(array, kept, parts, grid)
    labels = LabelMap(Volume(array, grid.ijk_to_ras), dict(sorted(names.items())), notes=neck.filled.notes)
    document = {
        "overlap_mm3": _shared(inside, neck.filled, neck.rigid_labels),
        "kept_by_neighbours_mm3": _shared(inside & ~rigid, neck.filled, neck.soft_labels) if neighbours == KEEP else {},
        "neighbours": _changes(neck, moved, array, restored),
        "motion": None
        if motion is None
        else {"largest_mm": motion.largest_mm, "least_jacobian": motion.least_jacobian()},
        "outside_body_mm3": float(outside) * _voxel_mm3(neck),
    }
    return Composed(labels, parts, Volume(kept.view(np.uint8), grid.ijk_to_ras), motion, document)


def _surroundings(neck: Neck, motion: Motion | None, rigid: np.ndarray) -> np.ndarray:
    """Return the labels around the thyroid after a motion."""
    filled = neck.filled.volume
    if motion is None:
        return filled.array.copy()
    array = motion.warp_labels(filled).array
    # Rigid structures stay: what the interpolation dragged along at their borders becomes the tissue beside them.
    dragged = np.isin(array, list(neck.rigid_labels)) & ~rigid
    if dragged.any():
        box = box_of(dragged, margin=3)
        _fill(array[box], dragged[box], np.isin(array[box], _TISSUE_LABELS))
    array[rigid] = filled.array[rigid]
    return array


def _fill(array: np.ndarray, empty: np.ndarray, source: np.ndarray) -> None:
    """Set voxels to the label of the nearest source voxel, or that of soft tissue if there is none."""
    from scipy.ndimage import distance_transform_edt

    if not source.any():
        array[empty] = TISSUES[SOFT_TISSUE]
        return
    index = distance_transform_edt(~source, return_distances=False, return_indices=True)
    array[empty] = array[tuple(axis[empty] for axis in index)]


def _restore_volumes(array: np.ndarray, neck: Neck, kept: np.ndarray, rigid: np.ndarray) -> dict[int, int]:
    """Restore the volumes of soft neighbours by voxels at their surfaces; return the number of voxels by label.

    Vessels and the oesophagus keep their volumes when they give way. The flow keeps them to about one per cent, which
    rounding to voxels and the thyroid's voxels add to.
    """
    from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

    before = np.bincount(neck.filled.volume.array.ravel(), minlength=int(array.max()) + 1)
    after = np.bincount(array.ravel(), minlength=len(before))
    restored: dict[int, int] = {}
    for label in neck.soft_labels:
        missing = int(before[label]) - int(after[label])
        most = int(_MOST_RESTORED * before[label])
        if missing == 0 or after[label] == 0:
            continue
        changed = (array == label) != (neck.filled.volume.array == label)
        box = box_of(changed, margin=4)
        part = array[box]
        own = part == label
        height = gaussian_filter(own.astype(np.float32), 1.2)
        if missing > 0:
            at = binary_dilation(own, iterations=2) & np.isin(part, _TISSUE_LABELS) & ~rigid[box] & ~kept[box]
            chosen = _highest(at, height, min(missing, most))
            part[chosen] = label
            restored[label] = len(chosen[0])
        else:
            at = own & ~binary_erosion(own, border_value=1)
            chosen = _highest(at, -height, min(-missing, most))
            emptied = np.zeros(part.shape, dtype=bool)
            emptied[chosen] = True
            _fill(part, emptied, np.isin(part, _TISSUE_LABELS))
            restored[label] = -len(chosen[0])
    return restored


def _highest(at: np.ndarray, height: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Return the indices of those of some voxels where a field is highest."""
    index = np.nonzero(at)
    order = np.argsort(-height[index], kind="stable")[:count]
    return tuple(axis[order] for axis in index)


def _label_lobes(array: np.ndarray, kept: np.ndarray, parts: Mapping[int, Surface], grid: Any) -> None:
    """Label the voxels of the gland by the part that they lie in, or that is nearest."""
    box = box_of(kept)
    inside, near = kept[box], array[box]
    labelled = np.zeros(inside.shape, dtype=array.dtype)
    part_grid = grid.part([axis.start for axis in box], inside.shape)
    for label, surface in parts.items():
        labelled[voxelise(surface, part_grid).array != 0] = label
    missing = inside & (labelled == 0)
    if missing.any():
        _fill(labelled, missing, labelled != 0)
    near[inside] = labelled[inside]


def _shared(inside: np.ndarray, labels: LabelMap, structures: Mapping[int, str]) -> dict[str, float]:
    """Return the volume in mm³ that a gland shares with each of some structures, where it is not 0."""
    counts = np.bincount(labels.volume.array[inside].ravel())
    voxel = labels.volume.voxel_volume_ml * 1000
    return {
        name: float(counts[label]) * voxel
        for label, name in structures.items()
        if label < len(counts) and counts[label]
    }


def _changes(neck: Neck, moved: np.ndarray, after: np.ndarray, restored: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return the volume of each segmented neighbour before and after in mL, and what changed it.

    `moved` is the number of voxels of each label after the motion, with the thyroid in place.
    """
    count = int(max(neck.filled.volume.array.max(), after.max(), len(moved) - 1)) + 1
    before_ml, after_ml = (
        np.bincount(each.ravel(), minlength=count) * neck.filled.volume.voxel_volume_ml
        for each in (neck.filled.volume.array, after)
    )
    moved_ml = np.pad(moved, (0, count - len(moved))) * neck.filled.volume.voxel_volume_ml
    return [
        {
            "name": name,
            "label": label,
            "before_ml": float(before_ml[label]),
            "moved_ml": float(moved_ml[label]),
            "after_ml": float(after_ml[label]),
            "change": float(after_ml[label] / before_ml[label] - 1),
            "restored_ml": restored.get(label, 0) * neck.filled.volume.voxel_volume_ml,
        }
        for label, name in _segmented(neck)
        if before_ml[label] > 0
    ]


def _segmented(neck: Neck) -> Iterable[tuple[int, str]]:
    tissues = set(TISSUES.values())
    return [(label, name) for label, name in neck.filled.names.items() if label not in tissues]


def _voxel_mm3(neck: Neck) -> float:
    return neck.filled.volume.voxel_volume_ml * 1000
