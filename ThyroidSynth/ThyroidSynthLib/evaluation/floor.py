"""What a perfect model would score: the part of a reconstruction error that is the measure's own."""

from __future__ import annotations

import numpy as np

from ..anatomy.sampling import signed_distance
from ..anatomy.surface import Surface
from ..learning.model import ShapeModel
from ..synthesis.decoding import DEFAULT_RESOLUTION, decoding_box, surface_of_grid
from ..synthesis.sparse_grid import evaluate_sparse


def perfect_reconstruction(model: ShapeModel, reference: Surface, *, resolution: int = DEFAULT_RESOLUTION) -> Surface:
    """Decode a shape's true signed distance as if the model had learnt it without any error.

    The same box, grid and marching cubes as for the model's own codes. The result is the reference on
    other vertices, so the authors' Chamfer distance between the two, which compares vertices, is the
    floor no model can get below.

    Parameters
    ----------
    model : ShapeModel
        Gives the frame and the box.
    reference : Surface
        The case's surface in `trachea_mm`.
    resolution : int
        Grid points per axis.

    Returns
    -------
    Surface
        In `trachea_mm`.
    """
    unit = reference.moved(model.frame.to_unit(reference.vertices))

    def true_distance(points: np.ndarray) -> np.ndarray:
        return signed_distance(unit, points).astype(np.float32)

    return surface_of_grid(model, evaluate_sparse(true_distance, *decoding_box(model), resolution))
