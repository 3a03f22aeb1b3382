"""Families of shapes that a latent code chooses from: a model's own, or a patient's gland and its edits.

Steering knows no more of them than is said here, so that it is the same for both.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION, NearbyDecoding
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity, sensitivity
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.shape_model import ShapeModel

from .thyroid import Thyroid, thyroid_of_code


class Shapes(Protocol):
    """What steering needs to know of a family of shapes.

    Attributes
    ----------
    model : ShapeModel
    space : CodeSpace
        Which of the model's codes are ordinary.
    """

    model: ShapeModel
    space: CodeSpace

    def thyroid(self, code: np.ndarray, *, resolution: int = DEFAULT_RESOLUTION, **about: object) -> Thyroid:
        """Give the shape of a code (code_size,), measured; `about` goes to the `Thyroid` as it is.

        Raises
        ------
        SynthesisError
            The code has no surface.
        """

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        """Say how the features of one of these shapes change with its code."""

    def in_small_steps(self) -> Shapes:
        """Give the same shapes, to make one after another that are much alike: each then costs less."""


class ModelShapes:
    """The shapes of a model.

    Parameters
    ----------
    model : ShapeModel
    space : CodeSpace, optional
        The training codes' distribution, if it is known already.
    """

    def __init__(self, model: ShapeModel, space: CodeSpace | None = None) -> None:
        self.model = model
        self.space = space or CodeSpace.of(model)
        self._nearby: NearbyDecoding | None = None

    def thyroid(self, code: np.ndarray, *, resolution: int = DEFAULT_RESOLUTION, **about: object) -> Thyroid:
        """See `Shapes.thyroid`."""
        return thyroid_of_code(self.model, code, resolution=resolution, nearby=self._nearby, **about)

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        """See `Shapes.sensitivity`."""
        return sensitivity(_ModelSdf(self.model, thyroid.code), thyroid.surface, thyroid.measured)

    def in_small_steps(self) -> ModelShapes:
        """See `Shapes.in_small_steps`."""
        shapes = ModelShapes(self.model, self.space)
        shapes._nearby = NearbyDecoding(self.model)
        return shapes


def decoded_at(shapes: Shapes, thyroid: Thyroid, resolution: int) -> Thyroid:
    """Give a shape on another grid: the same where it was decoded on that one, or on no grid at all."""
    if thyroid.resolution in (None, resolution):
        return thyroid
    kept = ("targets", "seed", "index", "attempts", "met", "distance")
    return shapes.thyroid(thyroid.code, resolution=resolution, **{name: getattr(thyroid, name) for name in kept})


class _ModelSdf:
    """The signed distance field of one code, over `trachea_mm`."""

    def __init__(self, model: ShapeModel, code: np.ndarray) -> None:
        self._frame = model.frame
        self._field = Field(model, code)
        self.slope = float(1 / model.frame.scale_mm.mean())

    def values(self, points_mm: np.ndarray) -> np.ndarray:
        return self._field(self._frame.to_unit(points_mm))

    def derivatives(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, gradient, code = self._field.derivatives(self._frame.to_unit(points_mm))
        return values, gradient / self._frame.scale_mm, code
