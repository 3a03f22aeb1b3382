"""Decode a latent code into a surface in the trachea frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf_volume
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.model.trained_model import TrainedModel

from .field import Field
from .nearby_grid import NearbyGrids
from .sparse_grid import GridValues, evaluate_sparse

DEFAULT_RESOLUTION = 64
# Shares by which the box of all training surfaces is widened on each side: at first, and for each further attempt
# while a surface touches it.
_MARGIN = 0.08
_GROWTH = 0.25
_MAX_GROWTHS = 2


@dataclass(frozen=True)
class Decoded:
    """A decoded surface in `trachea_mm`, and the number of points at which the network was evaluated for it.

    If `touches_box`, the box cuts the surface even after it was enlarged. The surface is closed there, but its features
    mean nothing.
    """

    surface: Surface
    touches_box: bool
    evaluations: int


def decode(
    model: TrainedModel,
    code: np.ndarray,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    nearby: dict[int, NearbyGrids] | None = None,
) -> Decoded:
    """Decode a whole latent code (code_size,) on a grid with `resolution` points along each axis.

    The grid spans the box of the training surfaces with a margin. (The paper's grid over [-1.1, 1.1]³ leaves most
    points unused, as the centre of the trachea lies well below the gland.) A surface that reaches a side of the box is
    decoded again in a larger one. `nearby` makes decoding faster if the last code was similar; the surface is the same.

    Raises
    ------
    SynthesisError
        The field of the code has no surface in the box.
    """
    field, largest_cell = Field(model, code), model.network.largest_cell
    evaluations = 0
    for growths in range(_MAX_GROWTHS + 1):
        if growths == 0 and nearby is not None:
            if resolution not in nearby:
                nearby[resolution] = NearbyGrids(*decoding_box(model), resolution, largest_cell=largest_cell)
            grid = nearby[resolution].evaluate(field)
        else:
            box = decoding_box(model, _MARGIN + growths * _GROWTH)
            grid = evaluate_sparse(field, *box, resolution, largest_cell=largest_cell)
        evaluations += grid.evaluations
        touches = touches_side(grid.values)
        if not touches:
            break
    return Decoded(surface_of_grid(model, grid, closed=touches), touches, evaluations)


def decoding_box(model: TrainedModel, margin: float = _MARGIN) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners, in `unit`, of the training surfaces' box widened by a share `margin` on each side."""
    lower, upper = model.frame.to_unit(model.frame.lower_mm), model.frame.to_unit(model.frame.upper_mm)
    pad = margin * (upper - lower)
    return lower - pad, upper + pad


def surface_of_grid(model: TrainedModel, grid: GridValues, *, closed: bool = False) -> Surface:
    """Extract the surface in `trachea_mm` of a field in the `unit` frame; with `closed` also where it leaves the grid.

    `SynthesisError` if the field has no surface.
    """
    values, points = grid.values, grid.grid
    if closed:
        values = np.pad(values, 1, constant_values=points.spacing_mm.max())
        points = points.part([-1, -1, -1], values.shape)
    inside = (values < 0).any()
    surface = surface_from_sdf_volume(Volume(values, points.ijk_to_ras)) if inside else None
    # A field that is hardly negative anywhere leaves only triangles without area.
    if surface is None or surface.volume <= 0:
        raise SynthesisError(
            "This latent code has no surface. Try another random seed, or targets nearer to the training cohort's mean."
        )
    return surface.moved(model.frame.to_mm(surface.vertices))


def touches_side(values: np.ndarray) -> bool:
    """Return whether the inside of a field (nx, ny, nz) reaches a side of its grid."""
    return any((values.swapaxes(0, axis)[side] <= 0).any() for axis in range(3) for side in (0, -1))
