"""Random thyroids by direct sampling, given targets (paper, section 2.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ThyroidSynthLib.common.errors import InputError, SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, thyroid_of_code
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets
from ThyroidSynthLib.model.prior import CodePrior, draw_features, prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel

from .drawing import draw_code

MAX_ATTEMPTS = 25
"""Draws until a thyroid is given up."""


def generate(
    model: TrainedModel,
    *,
    count: int,
    seed: int,
    targets: Targets | Sequence[Targets] = NO_TARGETS,
    first: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Iterator[GeneratedThyroid]:
    """Generate random thyroids by direct sampling: the targets are the network's condition.

    The trainable code is drawn from the model's prior. A draw without a valid surface is replaced by the
    next draw of the same stream.

    Parameters
    ----------
    seed : int
        Random seed. Thyroid number i of a seed does not depend on `count` and `first`.
    targets : Targets or sequence of Targets
        For all thyroids, or for each. Free features are drawn from the cohort, given the others.
    first : int
        Number of the first thyroid.

    Raises
    ------
    InputError
        The model has no conditions, `count` or `seed` is negative, or the number of targets is not `count`.
    SynthesisError
        None of `MAX_ATTEMPTS` draws gave a valid surface.
    Cancelled
        `should_stop` returned true.
    """
    if count < 0:
        raise InputError(f"{count} thyroids cannot be generated. Give 0 or more.")
    each = [targets] * count if isinstance(targets, Targets) else list(targets)
    if seed < 0:
        raise InputError(f"The seed is {seed}, but it must be 0 or more.")
    if len(each) != count:
        raise InputError(
            f"Targets are given for {counted(len(each), 'thyroid')}, but {count} are to be generated. Give targets for "
            "each."
        )
    check_conditions(model, each)
    prior = prior_of(model)
    for number, target in enumerate(each):
        check(should_stop)
        progress(number / count, f"Thyroid {number + 1} of {count}")
        yield generate_one(model, prior, seed, first + number, target, resolution)
    progress(1.0, counted(count, "thyroid"))


def check_conditions(model: TrainedModel, targets: Sequence[Targets]) -> None:
    """Raise `InputError` if there are targets, which direct sampling of a model without conditions cannot follow."""
    if model.conditioning.size == 0 and any(targets):
        raise InputError(
            f"This model's variant is '{model.variant}', which has no conditions, so direct sampling cannot follow "
            "targets. Steer to the targets instead, or choose a 'fixed' or 'correlation' model."
        )


def draws(
    model: TrainedModel,
    prior: CodePrior,
    seed: int,
    index: int,
    targets: Targets,
    *,
    resolution: int = DEFAULT_RESOLUTION,
) -> Iterator[GeneratedThyroid]:
    """Yield the valid thyroids among the first `MAX_ATTEMPTS` draws of the stream of thyroid number `index`.

    The first is what `generate` yields. Each is drawn only when it is consumed.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    for attempt in range(1, MAX_ATTEMPTS + 1):
        features = draw_features(model, rng, targets)
        code = draw_code(model, prior, features, rng)
        condition = Targets.from_array(features) if model.conditioning.size else NO_TARGETS
        try:
            thyroid = thyroid_of_code(model, code, resolution=resolution)
        except SynthesisError:
            continue
        if thyroid.validity.ok:
            yield GeneratedThyroid(thyroid, condition, seed=seed, index=index, attempts=attempt)


def generate_one(
    model: TrainedModel, prior: CodePrior, seed: int, index: int, targets: Targets, resolution: int
) -> GeneratedThyroid:
    """Generate thyroid number `index` of a seed, as `generate` does for each; `SynthesisError` if no draw is valid."""
    for generated in draws(model, prior, seed, index, targets, resolution=resolution):
        return generated
    raise SynthesisError(
        f"None of {MAX_ATTEMPTS} draws gave a closed surface of one or two components"
        + (f" for {targets}. Choose targets nearer to the cohort's." if targets else ". Train the model for longer.")
    )
