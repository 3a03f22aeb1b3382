"""Transfer of volumes to another grid: voxel by voxel if the grids coincide.

Else masks and label maps get the nearest voxel, and images are interpolated.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .grid import Grid, box_with_zeros
from .volume import Volume

# Voxels of two grids coincide if their centres differ by less than this (in voxels), by rounding.
_SAME_VOXELS = 0.01
POINTS_AT_ONCE = 4_000_000


def write_label(array: np.ndarray, grid: Grid, mask: Volume, label: int) -> np.ndarray:
    """Write a label into an array on a grid at the voxels of a mask, in place, and return the values (n,) it replaced.

    The mask is non-zero inside, in the same frame as the grid, and best cropped to its voxels. What lies outside the
    grid is left out.
    """
    box = _box(grid, mask)
    if box is None:
        return array[:0, 0, 0]
    replaced = []
    low, high = box
    for k, part in _slabs(array, low, high):
        inside = _sampled(grid, mask, np.array([low[0], low[1], k]), part.shape) != 0
        replaced.append(part[inside])
        part[inside] = label
    return np.concatenate(replaced)


def _box(grid: Grid, mask: Volume) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the first and last index (i, j, k) in the grid that voxels of a mask can have, or None."""
    ijk = grid.to_ijk(mask.grid.corners(beyond=0.5))
    low = np.maximum(np.ceil(ijk.min(axis=0) - _SAME_VOXELS).astype(int), 0)
    high = np.minimum(np.floor(ijk.max(axis=0) + _SAME_VOXELS).astype(int), grid.last_ijk)
    return None if (low > high).any() else (low, high)


def resampled(volume: Volume, grid: Grid) -> Volume:
    """Return a volume of labels on another grid of the same frame: that of the nearest voxel, 0 outside the volume."""
    array = np.zeros(grid.shape, dtype=volume.array.dtype)
    box = _box(grid, volume)
    if box is not None:
        low, high = box
        for k, part in _slabs(array, low, high):
            part[:] = _sampled(grid, volume, np.array([low[0], low[1], k]), part.shape)
    return Volume(array, grid.ijk_to_ras)


def interpolated(volume: Volume, grid: Grid, *, outside: float) -> Volume:
    """Return an image on another grid of the same frame by linear interpolation, rounded if it has whole numbers.

    Between the outermost voxel centres and the faces of their voxels it has the values of these; beyond, `outside`.
    """
    from scipy.ndimage import affine_transform

    if volume.array.shape == grid.shape and volume.grid.corner_distance_mm(grid) < 1e-3:
        return Volume(volume.array, grid.ijk_to_ras)
    to_own = (np.linalg.inv(volume.ijk_to_ras) @ grid.ijk_to_ras)[[2, 1, 0, 3]][:, [2, 1, 0, 3]]
    image = volume.array.astype(np.float32)
    array = affine_transform(image, to_own, output_shape=grid.shape, order=1, mode="nearest", prefilter=False)
    array[resampled(Volume(np.ones(image.shape, dtype=bool), volume.ijk_to_ras), grid).array == 0] = outside
    if np.issubdtype(volume.array.dtype, np.integer):
        array = np.rint(array).astype(volume.array.dtype)
    return Volume(array, grid.ijk_to_ras)


def _slabs(array: np.ndarray, low: np.ndarray, high: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield views of a box of an array with their first index k.

    Slab by slab, because the coordinates of a large oblique structure would fill the memory.
    """
    step = max(1, POINTS_AT_ONCE // int(np.prod(high[:2] - low[:2] + 1)))
    for k in range(low[2], high[2] + 1, step):
        last = min(k + step - 1, high[2])
        yield k, array[k : last + 1, low[1] : high[1] + 1, low[0] : high[0] + 1]


def _sampled(grid: Grid, mask: Volume, first: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the values of a volume in a box of the grid, from index `first` (i, j, k) on; 0 outside the volume."""
    to_mask = np.linalg.inv(mask.ijk_to_ras) @ grid.ijk_to_ras
    offset = to_mask[:3, :3] @ first + to_mask[:3, 3]
    size = np.array(mask.array.shape[::-1])
    if np.abs(to_mask[:3, :3] - np.eye(3)).max() * max(shape) < _SAME_VOXELS and (
        np.abs(offset - np.round(offset)).max() < _SAME_VOXELS
    ):
        return box_with_zeros(mask.array, np.round(offset).astype(int)[::-1], shape)
    k, j, i = np.ogrid[tuple(slice(0, n) for n in shape)]
    inside = np.ones(shape, dtype=bool)
    index = []
    for axis in range(3):
        at = to_mask[axis, 0] * i + to_mask[axis, 1] * j + to_mask[axis, 2] * k + offset[axis]
        nearest = np.floor(at + 0.5).astype(np.int32)
        inside &= (nearest >= 0) & (nearest < size[axis])
        index.append(np.clip(nearest, 0, size[axis] - 1))
    return np.where(inside, mask.array[index[2], index[1], index[0]], 0)
