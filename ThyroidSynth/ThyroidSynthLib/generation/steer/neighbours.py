"""Thyroids like a given one: codes drawn around its own."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ShouldStop, check, never
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import Shapes
from ThyroidSynthLib.generation.thyroid import Thyroid

from .steering import MAX_ATTEMPTS

SPREAD = 0.35
"""How far a neighbour's code is from the given one, as a share of how far training codes are apart."""


def draw_near(
    shapes: Shapes,
    code: np.ndarray,
    *,
    seed: int,
    spread: float = SPREAD,
    resolution: int = DEFAULT_RESOLUTION,
    should_stop: ShouldStop = never,
) -> Thyroid:
    """Draw a thyroid near a given code, differing from it in the way real ones differ from each other.

    Parameters
    ----------
    shapes : Shapes
        The family of shapes.
    code : ndarray, shape (code_size,)
        Whole latent code, such as that of a fitted thyroid.
    seed : int
        The same seed gives the same thyroid.
    spread : float
        Deviation from `code`, in SDs of the training codes; 0 gives the code itself.

    Raises
    ------
    SynthesisError
        No valid surface came out of `MAX_ATTEMPTS` draws.
    Cancelled
        `should_stop` returned true.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed]))
    root = np.linalg.cholesky(shapes.space.covariance)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        check(should_stop)
        drawn = np.asarray(code, dtype=np.float64) + spread * root @ rng.standard_normal(len(root))
        try:
            thyroid = shapes.thyroid(drawn.astype(np.float32), resolution=resolution, seed=seed, attempts=attempt)
        except SynthesisError:
            continue
        if thyroid.validity.ok:
            return thyroid
    raise SynthesisError(
        f"None of {MAX_ATTEMPTS} draws near this thyroid gave a closed gland of one or two pieces. Try another seed."
    )
