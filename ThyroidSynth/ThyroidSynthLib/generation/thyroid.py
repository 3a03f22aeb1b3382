"""A thyroid made by a model: its code, its surface, what was asked of it and what it measures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION, NearbyDecoding, decode
from ThyroidSynthLib.geometry.features import FEATURE_NAMES, Features, measure_features
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.shape_model import ShapeModel


@dataclass(frozen=True)
class Validity:
    """Whether a surface can be a thyroid at all.

    Attributes
    ----------
    closed : bool
        Every edge borders two triangles that agree on the outside.
    components : int
        Connected pieces; one gland or two separate lobes are valid.
    touches_box : bool
        The surface was cut by the decoding box, so its features mean nothing.
    """

    closed: bool
    components: int
    touches_box: bool

    @property
    def ok(self) -> bool:
        """Whether all is as it must be."""
        return self.closed and 1 <= self.components <= 2 and not self.touches_box

    @classmethod
    def of(cls, surface: Surface, *, touches_box: bool = False) -> Validity:
        """Examine a surface."""
        return cls(surface.is_closed(), int(surface.components().max(initial=-1)) + 1, touches_box)


@dataclass(frozen=True)
class Thyroid:
    """One synthesised thyroid.

    Attributes
    ----------
    code : ndarray of float32, shape (code_size,)
        Whole latent code.
    surface : Surface
        In `trachea_mm`.
    measured : Features
        Measured on `surface`.
    validity : Validity
        Whether the surface can be a thyroid.
    asked : dict of str to float
        Features the model was given, by name; empty for one without conditions.
    seed : int
        Seed it came from; with `index` it repeats the thyroid.
    index : int
        Its number among the thyroids of that seed.
    attempts : int
        Draws it took until the surface was valid.
    met : bool or None
        Whether what was asked is met, for one that was steered to target; None for one-shot.
    distance : float or None
        For one that was steered, how far its code is from the training codes' mean, in SDs per
        dimension: about 1 is ordinary, much more is a shape beyond what the model has seen.
    resolution : int or None
        Points along each axis of the grid its surface was decoded on; None where that is not known or it
        was made of another's surface.
    """

    code: np.ndarray
    surface: Surface
    measured: Features
    validity: Validity
    targets: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    index: int = 0
    attempts: int = 1
    met: bool | None = None
    distance: float | None = None
    resolution: int | None = None


def thyroid_of_code(
    model: ShapeModel,
    code: np.ndarray,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    nearby: NearbyDecoding | None = None,
    **about: object,
) -> Thyroid:
    """Decode a code (see `decode`) and measure what comes out; `about` goes to the `Thyroid` as it is.

    Raises
    ------
    SynthesisError
        The code has no surface.
    """
    decoded = decode(model, code, resolution=resolution, nearby=nearby)
    return Thyroid(
        code=np.asarray(code, dtype=np.float32),
        surface=decoded.surface,
        measured=measure_features(decoded.surface),
        validity=Validity.of(decoded.surface, touches_box=decoded.touches_box),
        resolution=resolution,
        **about,
    )


def reconstruct(model: ShapeModel, index: int, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
    """Decode the code that training found for case number `index`; `asked` holds the case's features."""
    targets = dict(zip(FEATURE_NAMES, model.features[index].tolist(), strict=True))
    return thyroid_of_code(model, model.codes[index], resolution=resolution, targets=targets, index=index)
