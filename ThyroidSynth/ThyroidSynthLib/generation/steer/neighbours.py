"""Thyroids similar to a given one: codes drawn around its own."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ShouldStop, check, never
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import Shapes
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid

from .direct_sampling import MAX_ATTEMPTS

SPREAD = 0.35
"""Spread of the codes around the given one, as a share of the training codes' spread."""


def draw_near(
    shapes: Shapes,
    code: np.ndarray,
    *,
    seed: int,
    spread: float = SPREAD,
    resolution: int = DEFAULT_RESOLUTION,
    should_stop: ShouldStop = never,
) -> GeneratedThyroid:
    """Draw a thyroid near a whole code (code_size,); it differs in the directions in which training codes differ.

    `spread` is the deviation from the code, in SDs of the training codes; 0 returns the thyroid of the code itself.
    `SynthesisError` if none of `MAX_ATTEMPTS` draws gave a valid surface.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed]))
    root = np.linalg.cholesky(shapes.space.covariance)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        check(should_stop)
        drawn = np.asarray(code, dtype=np.float64) + spread * root @ rng.standard_normal(len(root))
        try:
            thyroid = shapes.thyroid(drawn.astype(np.float32), resolution=resolution)
        except SynthesisError:
            continue
        if thyroid.validity.ok:
            return GeneratedThyroid(thyroid, seed=seed, attempts=attempt)
    raise SynthesisError(
        f"None of {MAX_ATTEMPTS} draws near this thyroid gave a closed surface of one or two components. "
        "Try another seed."
    )
