"""A gland that is given instead of generated: the patient's own, or one from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.neck.neck import Neck
from ThyroidSynthLib.generation.thyroid import Thyroid, Validity
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.imaging.meshes.any_mesh import is_mesh_file, read_mesh_file
from ThyroidSynthLib.imaging.segmentations.opening import read_structure


def own_gland(neck: Neck) -> Thyroid:
    """Return the patient's own thyroid; `InputError` if there is none."""
    if neck.own is None:
        raise InputError(f"{neck.name} has no thyroid of its own. Segment it, or leave out --own.")
    return _thyroid(neck.own, neck.placement)


def read_gland(path: Path, neck: Neck) -> Thyroid:
    """Return the thyroid of a mask or mesh file in the patient's coordinates, such as the result of an edit.

    `InputError` if the file is no thyroid, or its surface is open or lies off the neck's grid.
    """
    if is_mesh_file(path):
        surface = read_mesh_file(path).surface
        if not surface.is_closed():
            raise InputError(f"{path}: its surface is not closed, so it has no inside. Close it, or give a mask.")
    else:
        mask, _ = read_structure(path, THYROID)
        if mask.is_empty:
            raise InputError(f"{path} is empty. Choose the mask of a thyroid.")
        surface = surface_from_mask(mask.volume)
    return placed_gland(surface, neck, source=str(path))


def placed_gland(surface_ras: Surface, neck: Neck, *, source: str = "the gland") -> Thyroid:
    """Return a thyroid with a closed surface in `ras_mm`; `InputError` if it lies off the neck's grid."""
    if not neck.shown.contains(surface_ras.vertices).any():
        raise InputError(
            f"The thyroid of {source} lies off the grid of the phantom. Choose one of the same patient, or another "
            "grid."
        )
    return _thyroid(surface_ras, neck.placement)


def _thyroid(surface_ras: Surface, placement: Placement) -> Thyroid:
    surface = surface_ras.moved(placement.to_trachea(surface_ras.vertices))
    return Thyroid(np.empty(0, dtype=np.float32), surface, measure_features(surface), Validity.of(surface))
