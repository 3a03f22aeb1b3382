"""The overlap of a thyroid with another structure, such as the trachea, and its removal."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent

from .features import shared_volume
from .grid import Grid
from .isosurface import sdf_without_islands, surface_from_mask, surface_from_sdf_volume
from .sampling import signed_distance
from .surface import Surface
from .volume import Volume
from .voxelisation import voxelise

REMOVAL_STEP_MM = 0.75
"""Spacing of the grid on which the remaining surface is extracted: as fine as for a decoded thyroid."""

CLEARANCE_MM = 0.1
"""Gap left between the two structures, so that flat triangles do not reach into a round structure again."""

# Components that the removal leaves are islands below this share of the gland.
_ISLAND_SHARE = 0.01
_POINTS_AT_ONCE = 5_000


def overlap_ml(surface: Surface, other: Volume | Surface) -> float:
    """Return the volume in mL that a thyroid shares with a structure (a mask or closed surface); all in `ras_mm`."""
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
    """Subtract a structure (a mask or closed surface) from the closed surface of a thyroid; all in `ras_mm`.

    A new surface is extracted on a grid of spacing `step_mm` from the signed distance to the thyroid, limited by that
    to the structure. If the structure is a mask, the thyroid voxelised on the mask's grid shares no voxel with it.

    Returns
    -------
    Surface
        Closed; the same object if there is no overlap. Its features must be measured again.

    Raises
    ------
    SynthesisError
        Nothing of the thyroid would be left.
    """
    near = surface_near(surface, other)
    if near is None or shared_volume(surface, near) == 0.0:
        return surface
    grid = Grid.around(surface, spacing_mm=step_mm, margin_mm=2 * step_mm)
    gland = voxelise(surface, grid).array.astype(bool)
    structure = voxelise(near, grid).array.astype(bool)
    kept = gland & ~structure
    if not kept.any():
        raise SynthesisError("The whole thyroid lies inside the structure, so nothing would be left. Move it first.")
    values = np.where(kept, -step_mm, step_mm)
    band = _band(kept)
    points = np.argwhere(band)[:, ::-1] * step_mm + grid.ijk_to_ras[:3, 3]
    distance = _distances(surface, points, progress, should_stop)
    touched = _grown(structure, 2)[band]
    if touched.any():
        to_structure = _distances(near, points[touched], silent, should_stop)
        distance[touched] = np.maximum(distance[touched], CLEARANCE_MM - to_structure)
    values[band] = distance
    values = sdf_without_islands(values, _ISLAND_SHARE * np.count_nonzero(values < 0))
    return surface_from_sdf_volume(Volume(values, grid.ijk_to_ras))


def surface_near(surface: Surface, other: Volume | Surface) -> Surface | None:
    """Return the part of a structure around a thyroid as a closed surface, or None if the structure is elsewhere."""
    lower, upper = surface.bounds
    if isinstance(other, Surface):
        low, high = other.bounds
        return other if (low <= upper).all() and (high >= lower).all() else None
    mask = _cropped(other, lower, upper)
    return surface_from_mask(mask) if mask is not None and mask.array.any() else None


def _cropped(mask: Volume, lower: np.ndarray, upper: np.ndarray) -> Volume | None:
    """Crop a mask to a box in `ras_mm` with a margin that keeps its cut ends outside the box."""
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
    """Mark the points next to the new surface: only there marching cubes uses more than the sign."""
    return _grown(kept, 1) & _grown(~kept, 1)


def _grown(mask: np.ndarray, steps: int) -> np.ndarray:
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, np.ones((3, 3, 3), dtype=bool), iterations=steps)


def _distances(surface: Surface, points: np.ndarray, progress: ProgressCallback, should_stop: ShouldStop) -> np.ndarray:
    parts = []
    for start in range(0, len(points), _POINTS_AT_ONCE):
        check(should_stop)
        progress(start / len(points), "Removing overlap")
        parts.append(signed_distance(surface, points[start : start + _POINTS_AT_ONCE]))
    return np.concatenate(parts)
