"""What a perfect model would score: the part of a reconstruction error that is the measure's own."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION, decoding_box, surface_of_grid
from ThyroidSynthLib.generation.decode.sparse_grid import evaluate_sparse
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.shape_model import ShapeModel


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
