"""Steering to targets that nobody's features suggest: each drawn by itself from the cohort's middle.

Features of real glands go together, and a model that is only asked for what it has seen has an easy life.
Here every feature is drawn without regard to the others, so that large glands without an isthmus and small
lopsided ones are asked for as often as ordinary ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.evaluation.metrics.statistics import Agreement, agreement, rate_interval
from ThyroidSynthLib.generation.cohort.patient_site import generate_to_target
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.steering import generate
from ThyroidSynthLib.generation.steer.targeting import is_met, steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.shape_model import ShapeModel

LOW_PERCENTILE, HIGH_PERCENTILE = 5.0, 95.0


@dataclass(frozen=True)
class Attempt:
    """One thyroid steered to independent targets.

    Attributes
    ----------
    targets : ndarray, shape (3,)
        In the order of `FEATURE_NAMES`.
    measured : ndarray, shape (3,), or None
        On the final surface; None where no sound surface came out.
    declared : bool
        Whether the software said that the targets are met.
    distance : float or None
        Distance of the code to the training codes' mean, in SDs per dimension.
    """

    targets: np.ndarray
    measured: np.ndarray | None
    declared: bool
    distance: float | None

    @property
    def within(self) -> dict[str, bool]:
        """Whether each feature, as measured, is within the tolerance: judged here, not believed."""
        if self.measured is None:
            return dict.fromkeys(FEATURE_NAMES, False)
        return {
            name: is_met(name, value, target)
            for name, value, target in zip(FEATURE_NAMES, self.measured, self.targets, strict=True)
        }


@dataclass(frozen=True)
class IndependentTargets:
    """All attempts of the experiment.

    Attributes
    ----------
    attempts : tuple of Attempt
    cohort_sd : ndarray, shape (3,)
        SD of each feature in the training cohort.
    """

    attempts: tuple[Attempt, ...]
    cohort_sd: np.ndarray

    @property
    def reached(self) -> tuple[Attempt, ...]:
        """Those that were not declared out of reach."""
        return tuple(attempt for attempt in self.attempts if attempt.declared and attempt.measured is not None)

    def agreements(self, *, seed: int = 0) -> dict[str, Agreement]:
        """Compare asked with measured features over the reached."""
        if not self.reached:
            return {}
        values = np.array([attempt.targets for attempt in self.reached])
        measured = np.array([attempt.measured for attempt in self.reached])
        return {
            name: agreement(values[:, column], measured[:, column], cohort_sd=float(self.cohort_sd[column]), seed=seed)
            for column, name in enumerate(FEATURE_NAMES)
        }

    def as_dict(self, *, seed: int = 0) -> dict[str, Any]:
        """Give the numbers for a JSON file."""
        count, reached = len(self.attempts), self.reached
        if not count:
            return {"thyroids": 0}
        within = sum(all(attempt.within.values()) for attempt in self.attempts)
        kept = sum(all(attempt.within.values()) for attempt in reached)
        known = [attempt.distance for attempt in reached if attempt.distance is not None]
        return {
            "thyroids": count,
            "percentiles": [LOW_PERCENTILE, HIGH_PERCENTILE],
            "within": within,
            "share_within": within / count,
            "share_within_interval": rate_interval(within, count),
            "declared_out_of_reach": count - len(reached),
            "share_within_of_reached": kept / len(reached) if reached else None,
            "share_within_of_reached_interval": rate_interval(kept, len(reached)) if reached else None,
            "share_within_by_feature": {
                name: sum(attempt.within[name] for attempt in self.attempts) / count for name in FEATURE_NAMES
            },
            "code_distance_sd": {"mean": float(np.mean(known)), "largest": float(np.max(known))} if known else None,
            "agreement": {name: found.as_dict() for name, found in self.agreements(seed=seed).items()},
        }

    def rows(self) -> list[dict[str, Any]]:
        """Give every attempt as a row of a table."""
        return [
            {
                "number": number,
                **{f"target_{name}": float(value) for name, value in zip(FEATURE_NAMES, each.targets, strict=True)},
                **{
                    name: None if each.measured is None else float(each.measured[column])
                    for column, name in enumerate(FEATURE_NAMES)
                },
                "within": all(each.within.values()),
                "declared_out_of_reach": not each.declared,
                "code_distance_sd": each.distance,
            }
            for number, each in enumerate(self.attempts)
        ]


def draw_independent(features: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Draw targets (count, 3), each feature by itself from the 5th to 95th percentile of the cohort's (n, 3).

    A percentile is drawn evenly and the cohort's value there is taken, so that an isthmus is absent as
    often as in the cohort.
    """
    percentiles = np.random.default_rng(seed).uniform(LOW_PERCENTILE, HIGH_PERCENTILE, size=(count, features.shape[1]))
    drawn = [
        # Between two separate lobes and the smallest isthmus nothing is drawn: it would be a sliver.
        np.percentile(column, at, method="nearest" if (column == 0).any() else "linear")
        for column, at in zip(features.T, percentiles.T, strict=True)
    ]
    return np.stack(drawn, axis=1)


def steer_independently(
    model: ShapeModel,
    count: int,
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> IndependentTargets:
    """Make thyroids with independently drawn features, as a user would ask for them.

    A model without conditions cannot be asked; there a random code is steered, once.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    attempts = []
    # A stream of its own: the targets say nothing of the codes that the same seed draws elsewhere.
    own = np.random.SeedSequence([seed, 1]).generate_state(count + 1)
    targets = draw_independent(model.features, count, seed=int(own[0]))
    for number, wanted in enumerate(targets):
        check(should_stop)
        progress(number / count, f"Steering to independent targets ({number + 1} of {count})")
        values = dict(zip(FEATURE_NAMES, wanted.tolist(), strict=True))
        try:
            made = _make(model, values, int(own[number + 1]), resolution, should_stop)
        except SynthesisError:
            attempts.append(Attempt(wanted, None, False, None))
            continue
        measured = made.measured.as_array() if made.validity.ok else None
        attempts.append(Attempt(wanted, measured, bool(made.met), made.distance))
    return IndependentTargets(tuple(attempts), model.features.std(axis=0))


def _make(model: ShapeModel, values: dict[str, float], seed: int, resolution: int, should_stop: ShouldStop) -> Thyroid:
    options = {"count": 1, "seed": seed, "resolution": resolution, "should_stop": should_stop}
    if model.conditioning.size:
        return next(iter(generate_to_target(model, targets=[values], **options)))
    start = next(iter(generate(model, **options)))
    shapes = ModelShapes(model)
    return steer_to_target(shapes, start, values, resolution=resolution, should_stop=should_stop).thyroid
