"""Measuring thyroids on label maps, and after other structures kept their voxels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ThyroidSynthLib.geometry.features import Features, measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.volume import Volume


def measured_on_map(mask: Volume, placement: Placement) -> Features:
    """Return the features of a label map (non-zero inside, `ras_mm`): its voxels, and the surface around them."""
    if not mask.array.any():
        return Features(0.0, 0.0, 0.0)
    cropped = mask.cropped()
    surface = surface_from_mask(cropped)
    found = measure_features(surface.moved(placement.to_trachea(surface.vertices)))
    return replace(found, volume_ml=float(np.count_nonzero(cropped.array)) * mask.voxel_volume_ml)


def measured_as_written(surface: Features, whole: Volume | None, kept: Volume | None, placement: Placement) -> Features:
    """Return the features of a thyroid as it is written.

    The volume is that of the voxels. Voxels of 1.5 mm change the isthmus area and symmetry of a surface by more than
    their tolerances. Therefore these two are those of the surface, and what other structures took is measured on the
    map as the difference between the whole and the kept thyroid.

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
        return surface
    voxels = whole if kept is None else kept
    features = replace(surface, volume_ml=float(np.count_nonzero(voxels.array)) * voxels.voxel_volume_ml)
    if kept is None or np.count_nonzero(kept.array) == np.count_nonzero(whole.array):
        return features
    before, after = measured_on_map(whole, placement), measured_on_map(kept, placement)
    area = max(surface.isthmus_area_mm2 + after.isthmus_area_mm2 - before.isthmus_area_mm2, 0.0)
    symmetry = surface.symmetry + after.symmetry - before.symmetry
    return replace(
        features,
        isthmus_area_mm2=area if after.isthmus_area_mm2 > 0 else 0.0,
        symmetry=min(max(symmetry, 0.0), 1.0),
    )
