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

# A thyroid lies in the neck; a mesh in other coordinates, or of another patient, mostly beside it.
_LEAST_IN_BODY = 0.5


def own_gland(neck: Neck) -> Thyroid:
    """Return the patient's own thyroid; `InputError` if there is none."""
    if neck.own is None:
        raise InputError(f"{neck.name} has no thyroid of its own. Segment it, or leave out --own.")
    return _thyroid(neck.own, neck.placement)


def read_gland(path: Path, neck: Neck) -> Thyroid:
    """Return the thyroid of a mask or mesh file in the patient's coordinates, such as the result of an edit.

    `InputError` if the file is no thyroid, or its surface is open or lies off the neck's grid or outside the body.
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
    """Return a thyroid with a closed surface in `ras_mm`; `InputError` if it lies off the grid or outside the body."""
    labels = neck.cut(neck.filled.volume)
    on_grid = labels.grid.contains(surface_ras.vertices)
    if not on_grid.any():
        raise InputError(
            f"The thyroid of {source} lies off the grid of the phantom. Choose one of the same patient, or another "
            "grid."
        )
    i, j, k = np.clip(np.rint(labels.to_ijk(surface_ras.vertices[on_grid])), 0, labels.grid.last_ijk).astype(int).T
    in_body = float((labels.array[k, j, i] != 0).mean())
    if in_body < _LEAST_IN_BODY:
        raise InputError(
            f"{1 - in_body:.0%} of the surface of {source} lies outside the body. Choose the thyroid of the same "
            "patient; a mesh must be in LPS, or say in its header that it is in RAS."
        )
    return _thyroid(surface_ras, neck.placement)


def _thyroid(surface_ras: Surface, placement: Placement) -> Thyroid:
    surface = surface_ras.moved(placement.to_trachea(surface_ras.vertices))
    return Thyroid(np.empty(0, dtype=np.float32), surface, measure_features(surface), Validity.of(surface))
