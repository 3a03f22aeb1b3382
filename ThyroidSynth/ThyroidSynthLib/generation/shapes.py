"""Families of shapes indexed by a latent code: those of a model, or a patient's gland and its edits.

Steering uses this interface only, so that it is the same for both.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.nearby_grid import NearbyGrids
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity, feature_sensitivity
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.trained_model import TrainedModel

from .thyroid import Thyroid, thyroid_of_code


class Shapes(Protocol):
    """A family of shapes that can be steered; `space` is the distribution of the model's training codes."""

    model: TrainedModel
    space: CodeSpace

    def thyroid(self, code: np.ndarray, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
        """Return the shape of a latent code (code_size,), measured; `SynthesisError` if the code has no surface."""

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        """Return the derivatives of the features of one of these shapes by its code."""

    def in_small_steps(self) -> Shapes:
        """Return the same family for making similar shapes one after another, each faster."""


class ModelShapes:
    """The shapes of a model; `space` is passed if it is already known."""

    def __init__(self, model: TrainedModel, space: CodeSpace | None = None) -> None:
        self.model = model
        self.space = space or CodeSpace.of(model)
        self._nearby: dict[int, NearbyGrids] | None = None

    def thyroid(self, code: np.ndarray, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
        """See `Shapes.thyroid`."""
        return thyroid_of_code(self.model, code, resolution=resolution, nearby=self._nearby)

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        """See `Shapes.sensitivity`."""
        return feature_sensitivity(_ModelSdf(self.model, thyroid.code), thyroid.surface, thyroid.measured)

    def in_small_steps(self) -> ModelShapes:
        """See `Shapes.in_small_steps`."""
        shapes = ModelShapes(self.model, self.space)
        shapes._nearby = {}
        return shapes


def decoded_at(shapes: Shapes, thyroid: Thyroid, resolution: int) -> Thyroid:
    """Return a shape decoded on a grid of another resolution, or itself if it has no other one."""
    if thyroid.resolution in (None, resolution):
        return thyroid
    return shapes.thyroid(thyroid.code, resolution=resolution)


class _ModelSdf:
    """The SDF of one code over `trachea_mm`."""

    def __init__(self, model: TrainedModel, code: np.ndarray) -> None:
        self._frame = model.frame
        self._field = Field(model, code)
        self.slope = float(1 / model.frame.scale_mm.mean())

    def values(self, points_mm: np.ndarray) -> np.ndarray:
        return self._field(self._frame.to_unit(points_mm))

    def derivatives(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, gradient, code = self._field.derivatives(self._frame.to_unit(points_mm))
        return values, gradient / self._frame.scale_mm, code
