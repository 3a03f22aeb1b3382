"""Random thyroids, and thyroids steered to given features (paper, section 2.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ThyroidSynthLib.common.errors import InputError, SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.thyroid import Thyroid, thyroid_of_code
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.prior import CodePrior, draw_features, prior_of
from ThyroidSynthLib.model.shape_model import ShapeModel

from .drawing import draw_code
from .targeting import check_targets

Targets = Mapping[str, float | None]
"""Features asked for by name, in mL, mm² and 1; one that is missing or None is free."""

MAX_ATTEMPTS = 25


def generate(
    model: ShapeModel,
    *,
    count: int,
    seed: int,
    targets: Targets | list[Targets] | None = None,
    first: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Iterator[Thyroid]:
    """Make random thyroids, one-shot: the features go in as a condition and what comes out is measured.

    The trainable code is drawn from the model's prior. A draw whose surface is missing, in more than
    two pieces or cut by the decoding box is replaced by the next draw of the same stream, and the
    number of draws is kept.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Thyroid number i of a seed is the same whatever `count` and `first` are.
    asked : mapping or list of mappings, optional
        Wishes for all, or for each. Features left free are drawn from the cohort, given the others.
    first : int
        Number of the first thyroid.

    Yields
    ------
    Thyroid

    Raises
    ------
    InputError
        A wish is impossible, or the model has no conditions.
    SynthesisError
        No valid surface came out of `MAX_ATTEMPTS` draws.
    Cancelled
        `should_stop` returned true.
    """
    targets = list(targets) if isinstance(targets, list) else [targets or {}] * count
    if seed < 0:
        raise InputError(f"The seed is {seed}, but it must be 0 or more.")
    if len(targets) != count:
        raise InputError(f"{count} thyroids were asked for with wishes for {len(targets)}. Give one wish for each.")
    for target in targets:
        check_target_names(model, target)
    prior = prior_of(model)
    for number, target in enumerate(targets):
        check(should_stop)
        progress(number / count, f"Thyroid {number + 1} of {count}")
        yield generate_one(model, prior, seed, first + number, target, resolution)
    progress(1.0, f"{count} thyroids")


def check_target_names(model: ShapeModel, target: Targets) -> None:
    """Refuse wishes that no thyroid can meet or this model cannot hear.

    Raises
    ------
    InputError
        Names the feature and what it may be.
    """
    given = {name: value for name, value in target.items() if value is not None}
    check_targets(given)
    if given and model.conditioning.size == 0:
        raise InputError(
            f"This model's variant is '{model.variant}', which knows no features, so "
            f"{', '.join(given)} cannot be asked for. Choose a 'fixed' or 'correlation' model."
        )


def draws(
    model: ShapeModel, prior: CodePrior, seed: int, index: int, target: Targets, *, resolution: int = DEFAULT_RESOLUTION
) -> Iterator[Thyroid]:
    """Give the valid thyroids among the first `MAX_ATTEMPTS` draws of the stream of thyroid number `index`.

    The first is what `generate` gives; the others are for those who can make no use of it. None of them
    is drawn before it is asked for.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    for attempt in range(1, MAX_ATTEMPTS + 1):
        features = draw_features(model, rng, target)
        code = draw_code(model, prior, features, rng)
        targets = dict(zip(FEATURE_NAMES, features.tolist(), strict=True)) if model.conditioning.size else {}
        try:
            thyroid = thyroid_of_code(
                model, code, resolution=resolution, targets=targets, seed=seed, index=index, attempts=attempt
            )
        except SynthesisError:
            continue
        if thyroid.validity.ok:
            yield thyroid


def generate_one(
    model: ShapeModel, prior: CodePrior, seed: int, index: int, target: Targets, resolution: int
) -> Thyroid:
    """Give thyroid number `index` of a seed, as `generate` does for each.

    Raises
    ------
    SynthesisError
        No valid surface came out of `MAX_ATTEMPTS` draws.
    """
    for thyroid in draws(model, prior, seed, index, target, resolution=resolution):
        return thyroid
    wished = ", ".join(f"{name} {value:g}" for name, value in target.items() if value is not None)
    raise SynthesisError(
        f"None of {MAX_ATTEMPTS} draws gave a closed gland of one or two pieces"
        + (f" for {wished}. Ask for features nearer to the cohort's." if wished else ". Train the model for longer.")
    )
