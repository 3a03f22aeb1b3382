"""Steering to independent targets: every feature is drawn independently from the central range of the cohort.

The features of real glands are correlated, and targets from their joint distribution are the easier ones. Independent
targets include combinations that are rare in the cohort, such as a large gland without an isthmus.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.evaluation.metrics.statistics import Agreement, agreement, share_interval
from ThyroidSynthLib.generation.cohort.thyroid_maker import generate_to_target
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets, misfit
from ThyroidSynthLib.model.trained_model import TrainedModel

LOW_PERCENTILE, HIGH_PERCENTILE = 5.0, 95.0


@dataclass(frozen=True)
class Attempt:
    """One thyroid steered to independent targets."""

    targets: np.ndarray  # (3,), in the order of `FEATURE_NAMES`
    measured: np.ndarray | None  # (3,), on the final surface; None without a valid surface
    met: bool  # whether steering reported that the targets are met
    distance: float | None  # of the code to the mean of the training codes, in SDs per dimension

    @property
    def within(self) -> dict[str, bool]:
        """Whether each measured feature is within the tolerance of its target, independently of `met`."""
        if self.measured is None:
            return dict.fromkeys(FEATURE_NAMES, False)
        return {
            name: misfit(name, value, target) <= 1.0
            for name, value, target in zip(FEATURE_NAMES, self.measured, self.targets, strict=True)
        }


@dataclass(frozen=True)
class IndependentTargets:
    """All attempts of the experiment."""

    attempts: tuple[Attempt, ...]
    cohort_sd: np.ndarray  # (3,)

    @property
    def reached(self) -> tuple[Attempt, ...]:
        """Attempts that were not reported out of reach."""
        return tuple(attempt for attempt in self.attempts if attempt.met and attempt.measured is not None)

    def agreements(self, *, seed: int = 0) -> dict[str, Agreement]:
        """Compare target and measured features of the attempts in `reached`."""
        if not self.reached:
            return {}
        values = np.array([attempt.targets for attempt in self.reached])
        measured = np.array([attempt.measured for attempt in self.reached])
        return {
            name: agreement(values[:, column], measured[:, column], cohort_sd=float(self.cohort_sd[column]), seed=seed)
            for column, name in enumerate(FEATURE_NAMES)
        }

    def as_dict(self, *, seed: int = 0) -> dict[str, Any]:
        """Return the numbers for a JSON file."""
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
            "share_within_interval": share_interval(within, count),
            "out_of_reach": count - len(reached),
            "share_within_of_reachable": kept / len(reached) if reached else None,
            "share_within_of_reachable_interval": share_interval(kept, len(reached)) if reached else None,
            "share_within_by_feature": {
                name: sum(attempt.within[name] for attempt in self.attempts) / count for name in FEATURE_NAMES
            },
            "code_distance_sd": {"mean": float(np.mean(known)), "largest": float(np.max(known))} if known else None,
            "agreement": {name: asdict(found) for name, found in self.agreements(seed=seed).items()},
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return every attempt as a row of a table."""
        return [
            {
                "number": number,
                **{f"target_{name}": float(value) for name, value in zip(FEATURE_NAMES, each.targets, strict=True)},
                **{
                    name: None if each.measured is None else float(each.measured[column])
                    for column, name in enumerate(FEATURE_NAMES)
                },
                "within": all(each.within.values()),
                "out_of_reach": not each.met,
                "code_distance_sd": each.distance,
            }
            for number, each in enumerate(self.attempts)
        ]


def draw_independent(features: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Draw targets (count, 3): every feature independently between the 5th and 95th percentile of the cohort's (n, 3).

    Percentiles are drawn uniformly, so that the isthmus is absent as often as in the cohort.
    """
    percentiles = np.random.default_rng(seed).uniform(LOW_PERCENTILE, HIGH_PERCENTILE, size=(count, features.shape[1]))
    drawn = [
        # No interpolation between two separate lobes and the smallest isthmus of the cohort.
        np.percentile(column, at, method="nearest" if (column == 0).any() else "linear")
        for column, at in zip(features.T, percentiles.T, strict=True)
    ]
    return np.stack(drawn, axis=1)


def steer_independently(
    model: TrainedModel,
    count: int,
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> IndependentTargets:
    """Generate thyroids with independent targets by steering.

    With a model without conditions, a random code is steered.
    """
    attempts = []
    # A random stream of its own, so that the targets are independent of codes drawn elsewhere with the same seed.
    seeds = np.random.SeedSequence([seed, 1]).generate_state(count + 1)
    targets = draw_independent(model.features, count, seed=int(seeds[0]))
    for number, features in enumerate(targets):
        check(should_stop)
        progress(number / count, f"Steering to independent targets ({number + 1} of {count})")
        try:
            made = _make(model, Targets.from_array(features), int(seeds[number + 1]), resolution, should_stop)
        except SynthesisError:
            attempts.append(Attempt(features, None, False, None))
            continue
        measured = made.thyroid.measured.as_array() if made.thyroid.validity.ok else None
        attempts.append(Attempt(features, measured, bool(made.met), made.distance))
    return IndependentTargets(tuple(attempts), model.features.std(axis=0))


def _make(
    model: TrainedModel, targets: Targets, seed: int, resolution: int, should_stop: ShouldStop
) -> GeneratedThyroid:
    if model.conditioning.size:
        return next(generate_to_target(model, [targets], seed=seed, resolution=resolution, should_stop=should_stop))
    start = next(generate(model, count=1, seed=seed, resolution=resolution, should_stop=should_stop))
    found = steer_to_target(model, start.thyroid, targets, resolution=resolution, should_stop=should_stop)
    return found.applied_to(start)
