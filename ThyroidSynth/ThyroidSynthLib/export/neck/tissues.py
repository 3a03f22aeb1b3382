"""Body, fat, muscle, bone and airway of a neck where no segmentation names them.

With a CT they follow from its Hounsfield units (HU), smoothed a little against noise. Without one the body is what a
mask of it says, or an estimate around the segmented structures, and what no mask names in it is soft tissue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .phantom_labels import AIRWAY, BONE, FAT, LUNGS, MUSCLE, SOFT_TISSUE, TISSUES

BODY_MASKS = ("body", "body_trunc", "body_extremities")
FAT_MASKS = ("subcutaneous_fat", "torso_fat", "intermuscular_fat")
MUSCLE_MASKS = ("skeletal_muscle",)
SKIN_MASKS = ("skin",)
TISSUE_MASKS = (*BODY_MASKS, *FAT_MASKS, *MUSCLE_MASKS, *SKIN_MASKS)
"""Classes of TotalSegmentator that lie under others: tissue of a kind, and the body."""

ESTIMATED_BODY_MM = 25.0
"""Thickness of the soft tissue around the segmented structures where neither a CT nor a mask shows the body."""

# The body is denser than its surroundings, fat lies between air and soft tissue (-100 HU), and enhanced vessels and
# glands are denser than muscle. Cortical bone is denser than enhanced veins, cancellous bone is not.
_BODY_HU, _AIR_HU = -250.0, -400.0
_FAT_HU, _DENSE_HU = -30.0, 150.0
_CORTICAL_HU, _BONE_HU = 350.0, 150.0
_BONE_REACH_MM, _MARROW_MM = 5.0, 3.0
_SMOOTHING_MM = 0.8
_MARROW_HU = 60.0
# Voxels that air fills in part look like fat; what lies so close to air is skin or the wall of an airway.
_WALL_MM = 1.5
# Lungs have air and tissue, and no other space in the neck is as large.
_LUNG_HU, _LUNG_ML = -930.0, 2.0


def body_of_ct(hu: np.ndarray, grid: Grid, structures: np.ndarray) -> np.ndarray:
    """Return the body (nk, nj, ni): the largest connected part of what is no air, with everything inside it.

    `structures` is true in segmented structures, which belong to the body.
    """
    from scipy.ndimage import binary_dilation, binary_erosion, label

    solid = (hu > _BODY_HU) | structures
    # Table and clothes touch the body only here and there.
    component, count = label(binary_erosion(solid, border_value=1))
    if count == 0:
        return filled_in_slices(solid, grid)
    sizes = np.bincount(component.ravel())
    sizes[0] = 0
    body = binary_dilation(component == int(sizes.argmax()), iterations=2, mask=solid)
    return filled_in_slices(body | structures, grid)


def estimated_body(structures: np.ndarray, grid: Grid) -> np.ndarray:
    """Return an estimate of the body: in each axial slice, all within `ESTIMATED_BODY_MM` of the structures' hull."""
    from scipy.ndimage import distance_transform_edt

    axis = 2 - int(grid.axes_along_ras()[2])
    body = np.zeros_like(structures)
    slices = np.moveaxis(structures, axis, 0)
    found = np.flatnonzero(slices.any(axis=(1, 2)))
    if len(found) == 0:
        return body
    spacing = [value for n, value in enumerate(grid.spacing_mm[::-1]) if n != axis]
    reach = round(ESTIMATED_BODY_MM / float(grid.spacing_mm[::-1][axis]))
    for number, target in enumerate(np.moveaxis(body, axis, 0)):
        # Slices without structures are like the nearest ones with some.
        middle = found[np.abs(found - number).argmin()]
        near = np.any(slices[max(middle - reach, 0) : middle + reach + 1], axis=0)
        target[:] = distance_transform_edt(~_hull(near), sampling=spacing) <= ESTIMATED_BODY_MM
    return body


def tissue_labels(
    labels: np.ndarray,
    body: np.ndarray,
    grid: Grid,
    *,
    ct: Volume | None,
    masks: Mapping[str, np.ndarray],
    trachea: Sequence[int],
) -> np.ndarray:
    """Return labels in which every voxel of the body has one; segmented structures keep theirs.

    Parameters
    ----------
    labels : ndarray, shape (nk, nj, ni)
        Segmented structures; 0 elsewhere.
    body : ndarray of bool, shape (nk, nj, ni)
        The body.
    ct : Volume, optional
        Hounsfield units on the same grid.
    masks : mapping of str to ndarray of bool
        Masks of `TISSUE_MASKS`, where given.
    trachea : sequence of int
        Labels of the trachea, to which airways are connected.
    """
    found = labels.copy()
    free = body & (labels == 0)
    found[free] = TISSUES[SOFT_TISSUE]
    if ct is not None:
        _add_from_ct(found, free, grid, ct, trachea)
    for names, tissue in ((FAT_MASKS, FAT), (MUSCLE_MASKS, MUSCLE), (SKIN_MASKS, SOFT_TISSUE)):
        for name in names:
            if name in masks:
                found[free & masks[name] & (found != TISSUES[AIRWAY])] = TISSUES[tissue]
    return found


def _add_from_ct(found: np.ndarray, free: np.ndarray, grid: Grid, ct: Volume, trachea: Sequence[int]) -> None:
    from scipy.ndimage import gaussian_filter

    spacing = grid.spacing_mm[::-1]
    hu = np.clip(ct.array, -1000, 1500).astype(np.float32)
    smooth = gaussian_filter(hu, _SMOOTHING_MM / spacing, mode="nearest")
    found[free & (smooth < _DENSE_HU)] = TISSUES[MUSCLE]
    found[free & (smooth < _FAT_HU)] = TISSUES[FAT]
    inner_air = free & (smooth < _AIR_HU)
    lumen = np.isin(found, trachea)
    air = inner_air | lumen | (found == 0)
    wall = _grown(air, _WALL_MM, grid)
    found[wall & free & (smooth < _DENSE_HU)] = TISSUES[SOFT_TISSUE]
    found[free & _bone(smooth, grid)] = TISSUES[BONE]
    _add_air(found, inner_air, hu, grid, lumen)


def _bone(smooth: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the bones: dense voxels near cortical bone, and the marrow that these enclose in axial slices."""
    cortical = smooth > _CORTICAL_HU
    if not cortical.any():
        return cortical
    dense = _grown(cortical, _BONE_REACH_MM, grid) & (smooth > _BONE_HU)
    closed = ~_grown(~_grown(dense, _MARROW_MM, grid), _MARROW_MM, grid)
    return (dense | filled_in_slices(closed, grid)) & (smooth > _MARROW_HU)


def _grown(mask: np.ndarray, distance_mm: float, grid: Grid) -> np.ndarray:
    """Return a mask grown by a distance along each axis, at least by one voxel; one axis at a time, to save memory."""
    from scipy.ndimage import maximum_filter1d

    grown = mask.view(np.uint8)
    for axis, spacing in enumerate(grid.spacing_mm[::-1]):
        reach = max(round(distance_mm / float(spacing)), 1)
        grown = maximum_filter1d(grown, 2 * reach + 1, axis=axis, mode="nearest")
    return grown.view(bool)


def _add_air(found: np.ndarray, inner: np.ndarray, hu: np.ndarray, grid: Grid, trachea: np.ndarray) -> None:
    """Label the air in the body as airway, or as lung where it is large and holds tissue, too."""
    from scipy.ndimage import binary_dilation, find_objects, label

    component, count = label(inner)
    touching = np.unique(component[binary_dilation(trachea, iterations=2)])
    middle = _right(grid, np.argwhere(trachea)).mean() if trachea.any() else 0.0
    for number, box in enumerate(find_objects(component, max_label=count), start=1):
        if box is None:
            continue
        own = component[box] == number
        large = np.count_nonzero(own) * grid.voxel_volume_ml > _LUNG_ML
        if large and number not in touching and float(hu[box][own].mean()) > _LUNG_HU:
            at = np.argwhere(own) + [axis.start for axis in box]
            right = _right(grid, at) > middle
            found[tuple(at.T)] = np.where(right, *LUNGS)
        else:
            found[box][own] = TISSUES[AIRWAY]


def _right(grid: Grid, kji: np.ndarray) -> np.ndarray:
    """Return the coordinate R of voxels (n, 3)."""
    return grid.to_ras(kji[:, ::-1])[:, 0]


def filled_in_slices(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a mask in which what it encloses in each axial slice is filled, such as airways and lungs."""
    from scipy.ndimage import binary_fill_holes

    axis = 2 - int(grid.axes_along_ras()[2])
    return np.stack([binary_fill_holes(part) for part in np.moveaxis(mask, axis, 0)], axis=axis)


def _hull(mask: np.ndarray) -> np.ndarray:
    """Return the convex hull of a slice (m, n)."""
    from scipy.spatial import ConvexHull, QhullError

    at = np.argwhere(mask).astype(float)
    # Corners of the voxels: a single row of centres has no hull.
    corners = np.concatenate([at + np.array([a, b]) for a in (-0.5, 0.5) for b in (-0.5, 0.5)])
    try:
        sides = ConvexHull(corners).equations
    except QhullError:
        return mask
    index = np.indices(mask.shape)
    inside = np.ones(mask.shape, dtype=bool)
    for first, second, offset in sides:
        inside &= first * index[0] + second * index[1] + offset <= 0
    return inside
