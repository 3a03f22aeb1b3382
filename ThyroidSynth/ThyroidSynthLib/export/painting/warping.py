"""A CT after a motion of the tissue, with its noise as it was."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid

from .texture import Texture

STILL_VOXELS = 0.2
"""Voxels that move by less than this keep their values: interpolation would only smooth their noise."""

# Up to the first of these distances from a rigid structure nothing moves; from the second on the motion is whole.
_RIGID_VOXELS = (1.0, 3.0)
# The scale of what is taken for noise when its loss by interpolation is measured.
_FINE_VOXELS = 1.0
_LEAST_VOXELS = 200


class Displacement(Protocol):
    """A motion, such as `export.phantom.motion.Motion`.

    `backward` (nk, nj, ni, 3) is where the tissue at each voxel of `grid` came from: its displacement in mm along R, A
    and S.
    """

    @property
    def grid(self) -> Grid:
        """The grid of the displacements."""
        ...

    @property
    def backward(self) -> np.ndarray:
        """The displacements."""
        ...


def sources_of(
    motion: Displacement | None, grid: Grid, rigid: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the voxels of a grid came from.

    Parameters
    ----------
    motion : Displacement or None
        None if nothing moves.
    grid : Grid
        The grid.
    rigid : ndarray of bool, shape (nk, nj, ni), optional
        Structures that stay. Towards them the motion fades, because a voxel at their border shows part of them.

    Returns
    -------
    ndarray, shape (3, nk, nj, ni)
        Indices along k, j and i in the grid.
    ndarray of bool, shape (nk, nj, ni)
        Which voxels have moved by more than `STILL_VOXELS`; the others have their own indices.
    """
    from scipy.ndimage import distance_transform_edt, map_coordinates

    index = np.indices(grid.shape, dtype=np.float32)
    if motion is None:
        return index, np.zeros(grid.shape, dtype=bool)
    to_cells = np.linalg.inv(motion.grid.ijk_to_ras) @ grid.ijk_to_ras
    ijk = index[::-1]
    cells = np.tensordot(to_cells[:3, :3], ijk, 1) + to_cells[:3, 3, None, None, None]
    steps = np.linalg.inv(grid.ijk_to_ras[:3, :3])
    ras = np.stack(
        [
            map_coordinates(motion.backward[..., n], cells[::-1], order=1, mode="constant", prefilter=False)
            for n in range(3)
        ]
    )
    shift = np.tensordot(steps, ras, 1)[::-1]
    if rigid is not None and rigid.any():
        near, far = _RIGID_VOXELS
        distance = distance_transform_edt(~rigid)
        shift = _out_of(shift * np.clip((distance - near) / (far - near), 0, 1), index, distance <= near)
    moved = np.abs(shift).max(axis=0) > STILL_VOXELS
    return (index + np.where(moved, shift, 0.0)).astype(np.float32), moved


def _out_of(shift: np.ndarray, index: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Return displacements (3, ...) in voxels, shortened so that no tissue comes out of a still structure.

    Where a motion is coarse, it may cross the wall of the airway by a voxel or two.
    """
    last = np.array(still.shape).reshape(3, 1) - 1
    for factor in (0.6, 0.3, 0.0):
        moving = np.abs(shift).max(axis=0) > 0
        source = np.clip(np.rint(index[:, moving] + shift[:, moving]).astype(int), 0, last)
        wrong = np.zeros(still.shape, dtype=bool)
        wrong[moving] = still[tuple(source)]
        wrong &= ~still
        if not wrong.any():
            break
        shift[:, wrong] *= factor
    return shift


def warped_ct(
    hu: np.ndarray, index: np.ndarray, moved: np.ndarray, tissue: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return a CT (nk, nj, ni) after a motion, float32.

    Parameters
    ----------
    hu : ndarray
        The CT before.
    index, moved : ndarray
        Results of `sources_of`.
    tissue : ndarray of bool
        Soft tissue before, in which the noise is measured.
    rng : Generator
        For the noise that interpolation has smoothed away, and that is added again.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    result = hu.astype(np.float32)
    if not moved.any():
        return result
    # Cubic splines keep most of the noise; linear interpolation would halve its variance.
    values = map_coordinates(result, index[:, moved], order=3, mode="nearest")
    still = result.copy()
    result[moved] = values
    before = still - gaussian_filter(still, _FINE_VOXELS)
    after = result - gaussian_filter(result, _FINE_VOXELS)
    came = map_coordinates(tissue.astype(np.uint8), index, order=0, mode="nearest").astype(bool)
    here, there = tissue, came & moved
    if here.sum() >= _LEAST_VOXELS and there.sum() >= _LEAST_VOXELS:
        # Robust, because the edges of vessels are no noise.
        lost = _variance(before[here]) - _variance(after[there])
        if lost > 0:
            fine = Texture.of(before, here, np.ones(3)).draw_normal(hu.shape, rng)
            added = float(np.sqrt(lost)) * fine / max(_spread(fine - gaussian_filter(fine, _FINE_VOXELS)), 1e-6)
            result[moved] += added[moved]
    return result


def _variance(values: np.ndarray) -> float:
    return _spread(values) ** 2


def _spread(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
