"""Measuring thyroids on label maps, and after other structures kept their voxels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.geometry.features import Features, measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.volume import Volume

_BLOCK = 4


def measured_on_map(mask: Volume, placement: Placement) -> Features:
    """Return the features of a label map (non-zero inside, `ras_mm`): its voxels, and the surface around them."""
    if not mask.array.any():
        return Features(0.0, 0.0, 0.0)
    cropped = mask.cropped()
    try:
        surface = surface_from_mask(cropped)
    except (ValueError, SynthesisError):
        # So few voxels that their smoothed surface vanishes: each is measured as a block.
        surface = surface_from_mask(_finer(cropped))
    found = measure_features(surface.moved(placement.to_trachea(surface.vertices)))
    return replace(found, volume_ml=float(np.count_nonzero(cropped.array)) * mask.voxel_volume_ml)


def _finer(mask: Volume) -> Volume:
    """Return the same blocks in voxels of a quarter of the size."""
    array = mask.array
    for axis in range(3):
        array = np.repeat(array, _BLOCK, axis=axis)
    matrix = mask.ijk_to_ras.copy()
    matrix[:3, :3] /= _BLOCK
    matrix[:3, 3] = mask.to_ras(np.full(3, (1 / _BLOCK - 1) / 2))
    return Volume(array, matrix)


def measured_as_written(
    surface: Features, whole: Volume | None, kept: Volume | None, placement: Placement
) -> tuple[Features, Features | None]:
    """Return the features of a thyroid as it is written, by which its targets are judged, and those on its map.

    The volume is that of the voxels. Voxels of 1.5 mm change the isthmus area and symmetry of a surface by more than
    their tolerances. Therefore these two are those of the surface, and what other structures took is measured on the
    map as the difference between the whole and the kept thyroid. Whether there is an isthmus is decided on the map:
    coarse voxels may join two lobes or lose a thin bridge.

    Parameters
    ----------
    surface : Features
        Measured on the final surface.
    whole : Volume, optional
        The label map of the surface; None if no map is written.
    kept : Volume, optional
        On the same grid, the part of it that a merged map has; None if the map is not merged.
    """
    if whole is None:
        return surface, None
    on_map = measured_on_map(whole if kept is None else kept, placement)
    area, symmetry = surface.isthmus_area_mm2, surface.symmetry
    if kept is not None and np.count_nonzero(kept.array) < np.count_nonzero(whole.array):
        before = measured_on_map(whole, placement)
        area = max(area + on_map.isthmus_area_mm2 - before.isthmus_area_mm2, 0.0)
        symmetry = min(max(symmetry + on_map.symmetry - before.symmetry, 0.0), 1.0)
    if (on_map.isthmus_area_mm2 > 0) != (area > 0):
        area = on_map.isthmus_area_mm2
    return Features(on_map.volume_ml, area, symmetry), on_map
