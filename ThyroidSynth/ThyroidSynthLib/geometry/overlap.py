"""What a thyroid shares with another structure, such as the trachea, and a thyroid that shares nothing with it."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent

from .features import shared_volume
from .grid import Grid
from .isosurface import surface_from_mask, surface_from_sdf_volume
from .sampling import signed_distance
from .surface import Surface
from .volume import Volume
from .voxelisation import voxelise

REMOVAL_STEP_MM = 0.75
"""Edge of the grid on which a carved thyroid is surfaced: as fine as that of a decoded one."""

CLEARANCE_MM = 0.1
"""Gap that carving leaves, so that flat triangles do not reach into the round structure again."""

# Pieces smaller than this share of the gland are crumbs that the cut has left.
_ISLAND_SHARE = 0.01
_POINTS_AT_ONCE = 5_000


def overlap_ml(surface: Surface, other: Volume | Surface) -> float:
    """Measure the volume that lies in a thyroid and in another structure, in mL.

    Parameters
    ----------
    surface : Surface
        Closed surface in `ras_mm`.
    other : Volume or Surface
        The structure in `ras_mm`: a mask, whose non-zero voxels count, or a closed surface.
    """
    near = surface_near(surface, other)
    return 0.0 if near is None else shared_volume(surface, near) / 1000.0


def without_overlap(
    surface: Surface,
    other: Volume | Surface,
    *,
    step_mm: float = REMOVAL_STEP_MM,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Surface:
    """Take out of a thyroid what it shares with another structure.

    The thyroid is surfaced anew from its distance field, cut by that of the structure. Its voxels on
    the grid of a structure's mask are free of the mask.

    Parameters
    ----------
    surface : Surface
        Closed surface in `ras_mm`.
    other : Volume or Surface
        The structure in `ras_mm`: a mask, whose non-zero voxels count, or a closed surface.
    step_mm : float
        Edge of the grid on which the new surface is made.

    Returns
    -------
    Surface
        Closed, in `ras_mm`; the same one when there is nothing to take out. Features must be measured again.

    Raises
    ------
    SynthesisError
        Nothing of the thyroid is left.
    """
    near = surface_near(surface, other)
    if near is None or shared_volume(surface, near) == 0.0:
        return surface
    grid = Grid.around(surface, spacing_mm=step_mm, margin_mm=2 * step_mm)
    gland = voxelise(surface, grid).array.astype(bool)
    structure = voxelise(near, grid).array.astype(bool)
    kept = gland & ~structure
    if not kept.any():
        raise SynthesisError("The whole thyroid lies in the structure, and carving would leave nothing. Move it first.")
    values = np.where(kept, -step_mm, step_mm)
    band = _band(kept)
    points = np.argwhere(band)[:, ::-1] * step_mm + grid.ijk_to_ras[:3, 3]
    distance = _distances(surface, points, progress, should_stop)
    touched = _grown(structure, 2)[band]
    if touched.any():
        to_structure = _distances(near, points[touched], silent, should_stop)
        distance[touched] = np.maximum(distance[touched], CLEARANCE_MM - to_structure)
    values[band] = distance
    return _without_islands(surface_from_sdf_volume(Volume(values, grid.ijk_to_ras)))


def surface_near(surface: Surface, other: Volume | Surface) -> Surface | None:
    """Give the part of a structure that lies around a thyroid as a closed surface; None when it lies elsewhere."""
    lower, upper = surface.bounds
    if isinstance(other, Surface):
        low, high = other.bounds
        return other if (low <= upper).all() and (high >= lower).all() else None
    mask = _cropped(other, lower, upper)
    return surface_from_mask(mask) if mask is not None and mask.array.any() else None


def _cropped(mask: Volume, lower: np.ndarray, upper: np.ndarray) -> Volume | None:
    """Cut a mask to a box in `ras_mm` with room around it, in which its cut ends do no harm."""
    corners = np.stack(np.meshgrid(*zip(lower, upper, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    ijk = mask.to_ijk(corners)
    size = np.array(mask.array.shape[::-1])
    first = np.clip(np.floor(ijk.min(axis=0)).astype(int) - 4, 0, size)
    last = np.clip(np.ceil(ijk.max(axis=0)).astype(int) + 5, 0, size)
    if (first >= last).any():
        return None
    k, j, i = (slice(a, b) for a, b in zip(first[::-1], last[::-1], strict=True))
    return mask.part((k, j, i))


def _band(kept: np.ndarray) -> np.ndarray:
    """Points next to the new surface, on either side: only there marching cubes reads more than the sign."""
    return _grown(kept, 1) & _grown(~kept, 1)


def _grown(mask: np.ndarray, steps: int) -> np.ndarray:
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, np.ones((3, 3, 3), dtype=bool), iterations=steps)


def _distances(surface: Surface, points: np.ndarray, progress: ProgressCallback, should_stop: ShouldStop) -> np.ndarray:
    parts = []
    for start in range(0, len(points), _POINTS_AT_ONCE):
        check(should_stop)
        progress(start / len(points), "Carving")
        parts.append(signed_distance(surface, points[start : start + _POINTS_AT_ONCE]))
    return np.concatenate(parts)


def _without_islands(surface: Surface) -> Surface:
    piece = surface.components()
    a, b, c = surface.corners.transpose(1, 0, 2)
    volume = np.abs(np.bincount(piece, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0))
    kept = surface.faces[(volume >= _ISLAND_SHARE * volume.sum())[piece]]
    used, faces = np.unique(kept, return_inverse=True)
    return Surface(surface.vertices[used], faces.reshape(-1, 3))
