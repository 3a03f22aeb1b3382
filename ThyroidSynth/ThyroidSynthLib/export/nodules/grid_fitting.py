"""Nodules that have their diameters on the grid of a label map, not only as surfaces."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.voxelisation import voxelise

from .measuring import diameters_of_voxels, voxel_along

_ROUNDS = 10
# Deviations in voxels from which no better size is searched at a place, and at all.
_CLOSE, _MET = 0.45, 0.5
# Tried one after the other, in voxels along i, j and k: an extent that jumps by two voxels at one place does not at
# another.
_OFFSETS = 0.25 * np.array([(0, 0, 0), *((a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1))])
# Share of a deviation that one round corrects, so that the search does not swing between two layers of voxels.
_STEP = 0.6


def snapped(centre: np.ndarray, extents_mm: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a position (3,) in `ras_mm`, moved by at most half a voxel along each axis of a grid.

    An extent of an odd number of voxels is centred on a voxel, one of an even number between two; otherwise a nodule of
    10 mm could fill 11 voxels of 1 mm. `extents_mm` (3,) are those along the axes i, j and k.
    """
    ijk = grid.to_ijk(centre)
    odd = np.maximum(np.rint(extents_mm / grid.spacing_mm), 1).astype(int) % 2 == 1
    return grid.to_ras(np.where(odd, np.rint(ijk), np.floor(ijk) + 0.5))


def extents_along(points_ras: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the extents (3,) of positions (n, 3) in mm along the axes i, j and k of a grid."""
    return np.ptp(grid.to_ijk(points_ras), axis=0) * grid.spacing_mm


def fitted(
    surface: Surface, centre: np.ndarray, axes: np.ndarray, diameters_mm: np.ndarray, grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """Return factors (3,) along a nodule's axes, and a shift (3,) in mm, that give it its diameters on a label map.

    Parameters
    ----------
    surface : Surface
        Of the nodule, in `ras_mm`.
    centre : ndarray, shape (3,)
        Its centre.
    axes : ndarray, shape (3, 3)
        Directions of the diameters, in columns.
    diameters_mm : ndarray, shape (3,)
        Targets of the extents of its voxels.
    grid : Grid
        Of the label map. Its border is ignored: a nodule beyond it is measured as if the grid went on.

    Returns
    -------
    tuple of ndarray
        The best that was found; the shift is at most a quarter of a voxel along each axis of the grid.
    """
    around = _part_around(grid, surface)
    voxel = voxel_along(grid, axes)
    best, least = (np.ones(3), np.zeros(3)), np.inf
    for offset in _OFFSETS:
        shift = grid.ijk_to_ras[:3, :3] @ offset
        scale = np.ones(3)
        for _ in range(_ROUNDS):
            inside = voxelise(adjusted(surface, centre, axes, scale, shift), around).array != 0
            off = np.asarray(diameters_mm) - diameters_of_voxels(inside, around, axes)
            deviations = np.abs(off / voxel)
            if deviations.max() < least:
                best, least = (scale, shift), float(deviations.max())
            if least <= _CLOSE:
                return best
            step = _STEP * np.where(deviations > _CLOSE, off, 0.0) / diameters_mm
            scale = np.clip(scale * (1 + step), 0.6, 1.6)
        if least <= _MET:
            break
    return best


def adjusted(surface: Surface, centre: np.ndarray, axes: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> Surface:
    """Return a surface scaled about a centre (3,) by factors (3,) along axes (3, 3), and moved by a shift (3,)."""
    return surface.moved(((surface.vertices - centre) @ axes * scale) @ axes.T + centre + shift)


def _part_around(grid: Grid, surface: Surface) -> Grid:
    """Return the voxels around a surface, also those beyond the grid."""
    ijk = grid.to_ijk(surface.vertices)
    low, high = ijk.min(axis=0), ijk.max(axis=0)
    # Room for a nodule that grows on the grid.
    room = 2 + 0.25 * (high - low)
    first, last = np.floor(low - room).astype(int), np.ceil(high + room).astype(int)
    return grid.part(first[::-1], (last - first + 1)[::-1])
