"""From a latent code to a surface in the trachea frame. The one decoder of the project."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.shape_model import ShapeModel

from .field import Field
from .nearby_grid import NearbyGrids
from .sparse_grid import GridValues, evaluate_sparse

DEFAULT_RESOLUTION = 64
# The box around all training surfaces, and how it grows while a surface still touches it.
_MARGIN = 0.08
_GROWTH = 0.25
_LARGEST_GROWTHS = 2


@dataclass(frozen=True)
class Decoded:
    """A decoded surface.

    Attributes
    ----------
    surface : Surface
        In `trachea_mm`.
    touches_box : bool
        Whether the surface was cut by the box even after it was enlarged; it is closed there, but
        its features mean nothing.
    evaluations : int
        Points at which the network was evaluated.
    """

    surface: Surface
    touches_box: bool
    evaluations: int


class NearbyDecoding:
    """What decoding a model's codes one after another has shown, for the next that is near the last.

    Parameters
    ----------
    model : ShapeModel
    """

    def __init__(self, model: ShapeModel) -> None:
        self._model = model
        self._grids: dict[int, NearbyGrids] = {}

    def grids(self, resolution: int) -> NearbyGrids:
        """Give what is remembered of a resolution."""
        if resolution not in self._grids:
            self._grids[resolution] = NearbyGrids(*decoding_box(self._model), resolution)
        return self._grids[resolution]


def decode(
    model: ShapeModel,
    code: np.ndarray,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    nearby: NearbyDecoding | None = None,
) -> Decoded:
    """Decode a whole latent code (code_size,) on a grid of `resolution`³ points.

    The grid spans the box of the training surfaces with a margin, in which the published grid over
    [-1.1, 1.1]³ leaves most points unused: the trachea's centre lies well below the gland. A surface
    that reaches the box's side is decoded again in a larger one.

    Parameters
    ----------
    nearby : NearbyDecoding, optional
        Makes it quicker where the last code was much like this one; the surface is the same.

    Raises
    ------
    SynthesisError
        The code's field has no surface in the box.
    """
    field = Field(model, code)
    evaluations = 0
    for growths in range(_LARGEST_GROWTHS + 1):
        if growths == 0 and nearby is not None:
            grid = nearby.grids(resolution).evaluate(field)
        else:
            grid = evaluate_sparse(field, *decoding_box(model, _MARGIN + growths * _GROWTH), resolution)
        evaluations += grid.evaluations
        touches = touches_side(grid.values)
        if not touches:
            break
    return Decoded(surface_of_grid(model, grid, closed=touches), touches, evaluations)


def decoding_box(model: ShapeModel, margin: float = _MARGIN) -> tuple[np.ndarray, np.ndarray]:
    """Give the corners, in `unit`, of the training surfaces' box widened by a share `margin` on each side."""
    lower, upper = model.frame.to_unit(model.frame.lower_mm), model.frame.to_unit(model.frame.upper_mm)
    pad = margin * (upper - lower)
    return lower - pad, upper + pad


def surface_of_grid(model: ShapeModel, grid: GridValues, *, closed: bool = False) -> Surface:
    """Run marching cubes on a grid of the `unit` frame and give the surface in `trachea_mm`.

    Parameters
    ----------
    closed : bool
        Close the surface where it leaves the grid.
    """
    values, shift = (np.pad(grid.values, 1, constant_values=_outside(grid)), 1) if closed else (grid.values, 0)
    if not (values < 0).any():
        raise SynthesisError("This latent code has no surface. Try another seed or milder wishes.")
    surface = surface_from_sdf(values)
    if len(surface.faces) == 0:  # A field that hardly dips below 0 leaves triangles of no size.
        raise SynthesisError("This latent code has no surface. Try another seed or milder wishes.")
    return surface.moved(model.frame.to_mm(grid.to_position(surface.vertices - shift)))


def _outside(grid: GridValues) -> float:
    return float(grid.step.max())


def touches_side(values: np.ndarray) -> bool:
    """Say whether the inside of a field (nx, ny, nz) reaches a side of its grid."""
    return any((np.take(values, side, axis=axis) <= 0).any() for axis in range(3) for side in (0, -1))
