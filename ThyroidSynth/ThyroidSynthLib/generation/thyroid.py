"""The shape of a thyroid that a model makes, and a generated thyroid with its targets and random seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION, decode
from ThyroidSynthLib.generation.decode.nearby_grid import NearbyGrids
from ThyroidSynthLib.geometry.features import Features, measure_features
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets
from ThyroidSynthLib.model.trained_model import TrainedModel


@dataclass(frozen=True)
class Validity:
    """Whether a surface can be a thyroid: closed, one gland or two separate lobes, and not cut by the decoding box."""

    closed: bool
    components: int
    touches_box: bool

    @property
    def ok(self) -> bool:
        """Whether the surface is valid."""
        return self.closed and 1 <= self.components <= 2 and not self.touches_box

    @classmethod
    def of(cls, surface: Surface, *, touches_box: bool = False) -> Validity:
        """Check a surface."""
        return cls(surface.is_closed(), int(surface.components().max(initial=-1)) + 1, bool(touches_box))


@dataclass(frozen=True)
class Thyroid:
    """The shape of one thyroid.

    Attributes
    ----------
    code : ndarray of float32, shape (code_size,)
        Whole latent code.
    surface : Surface
        In `trachea_mm`; `measured` are its features.
    resolution : int or None
        Points along each axis of the grid on which the surface was decoded; None for a surface that was
        not decoded by the model alone.
    """

    code: np.ndarray
    surface: Surface
    measured: Features
    validity: Validity
    resolution: int | None = None


@dataclass(frozen=True)
class GeneratedThyroid:
    """A thyroid with the targets and the random draw it comes from.

    Attributes
    ----------
    targets : Targets
        For direct sampling all features that the network was given, drawn ones included; after steering
        those that were steered to. Empty for a model without conditions.
    seed, index : int
        Random seed and the thyroid's number among those of the seed, which together reproduce it.
    attempts : int
        Draws until the surface was valid.
    met : bool or None
        Whether the targets are met; None if the thyroid was not steered.
    distance : float or None
        For a steered thyroid, distance of its code to the mean of the training codes, in SDs per
        dimension: about 1 is ordinary, much more is a shape beyond what the model has seen.
    """

    thyroid: Thyroid
    targets: Targets = NO_TARGETS
    seed: int = 0
    index: int = 0
    attempts: int = 1
    met: bool | None = None
    distance: float | None = None


def thyroid_of_code(
    model: TrainedModel,
    code: np.ndarray,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    nearby: dict[int, NearbyGrids] | None = None,
) -> Thyroid:
    """Decode a latent code (see `decode`) and measure its surface; `SynthesisError` if it has none."""
    decoded = decode(model, code, resolution=resolution, nearby=nearby)
    return Thyroid(
        code=np.asarray(code, dtype=np.float32),
        surface=decoded.surface,
        measured=measure_features(decoded.surface),
        validity=Validity.of(decoded.surface, touches_box=decoded.touches_box),
        resolution=resolution,
    )


def reconstruct(model: TrainedModel, index: int, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
    """Decode the latent code that training found for training case number `index`."""
    return thyroid_of_code(model, model.codes[index], resolution=resolution)
