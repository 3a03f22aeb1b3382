"""A mask on another grid, voxel for voxel where the two share a lattice and by the nearest voxel elsewhere."""

from __future__ import annotations

import numpy as np

from .grid import Grid
from .volume import Volume

# Lattices that lie this little apart (in voxels) are one lattice that was rounded twice.
_SAME_LATTICE = 0.01
_POINTS_AT_ONCE = 4_000_000


def stamped(array: np.ndarray, grid: Grid, mask: Volume, label: int) -> np.ndarray:
    """Write a label into an array wherever a mask is, and give what was there before.

    Parameters
    ----------
    array : ndarray, shape `grid.shape`
        Changed in place.
    grid : Grid
        Where its voxels lie.
    mask : Volume
        Non-zero inside, in the same frame as the grid; best cut to the box it fills.
    label : int
        The label.

    Returns
    -------
    ndarray, shape (n,)
        The values that were covered. What lies outside the grid is left out.
    """
    box = _box(grid, mask)
    if box is None:
        return array[:0, 0, 0]
    covered = []
    low, high = box
    # In slabs: a large oblique structure would fill the memory with coordinates.
    step = max(1, _POINTS_AT_ONCE // int(np.prod(high[:2] - low[:2] + 1)))
    for k in range(low[2], high[2] + 1, step):
        last = min(k + step - 1, high[2])
        part = array[k : last + 1, low[1] : high[1] + 1, low[0] : high[0] + 1]
        inside = _sampled(grid, mask, np.array([low[0], low[1], k]), part.shape)
        covered.append(part[inside])
        part[inside] = label
    return np.concatenate(covered)


def _box(grid: Grid, mask: Volume) -> tuple[np.ndarray, np.ndarray] | None:
    """Give the first and last index (i, j, k) in the grid that a mask can reach."""
    ends = np.array(mask.array.shape[::-1]) - 0.5
    corners = np.stack(np.meshgrid(*[[-0.5, end] for end in ends], indexing="ij"), axis=-1).reshape(-1, 3)
    ijk = grid.to_ijk(mask.to_ras(corners))
    low = np.maximum(np.ceil(ijk.min(axis=0) - _SAME_LATTICE).astype(int), 0)
    high = np.minimum(np.floor(ijk.max(axis=0) + _SAME_LATTICE).astype(int), np.array(grid.shape[::-1]) - 1)
    return None if (low > high).any() else (low, high)


def _sampled(grid: Grid, mask: Volume, first: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    to_mask = np.linalg.inv(mask.ijk_to_ras) @ grid.ijk_to_ras
    offset = to_mask[:3, :3] @ first + to_mask[:3, 3]
    size = np.array(mask.array.shape[::-1])
    if np.abs(to_mask[:3, :3] - np.eye(3)).max() * max(shape) < _SAME_LATTICE and (
        np.abs(offset - np.round(offset)).max() < _SAME_LATTICE
    ):
        return _cut(mask.array, np.round(offset).astype(int), shape) != 0
    k, j, i = np.ogrid[tuple(slice(0, n) for n in shape)]
    inside = np.ones(shape, dtype=bool)
    index = []
    for axis in range(3):
        at = to_mask[axis, 0] * i + to_mask[axis, 1] * j + to_mask[axis, 2] * k + offset[axis]
        nearest = np.floor(at + 0.5).astype(np.int32)
        inside &= (nearest >= 0) & (nearest < size[axis])
        index.append(np.clip(nearest, 0, size[axis] - 1))
    return inside & (mask.array[index[2], index[1], index[0]] != 0)


def _cut(array: np.ndarray, first: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cut a box out of an array; zero where it reaches beyond."""
    found = np.zeros(shape, dtype=array.dtype)
    start = first[::-1]
    low, high = np.maximum(start, 0), np.minimum(start + shape, array.shape)
    if (low < high).all():
        into = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
        found[into] = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return found
