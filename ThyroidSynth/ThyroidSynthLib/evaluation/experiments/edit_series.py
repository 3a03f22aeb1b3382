"""A training thyroid with one feature varied at a time (paper, figure 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.evaluation.metrics.generation import METHOD_LABELS
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid, reconstruct
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.trained_model import TrainedModel

from .cross_talk import with_condition

REACH_SD = 1.5
_STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class EditStep:
    """One step of the series."""

    feature: str  # the feature that is varied
    by_sd: float  # target change in cohort SDs
    to_target: Thyroid  # the other features are held
    # With a changed condition and the same trainable code; None without conditions or without a valid surface.
    direct_sampling: Thyroid | None


@dataclass(frozen=True)
class EditSeries:
    """A training case whose features are varied one at a time."""

    id: str  # the case
    start: Thyroid  # its reconstruction
    steps: tuple[EditStep, ...]  # feature by feature, in ascending order; the step of 0 is the start
    cohort_sd: np.ndarray  # (3,)

    def of(self, feature: str) -> tuple[EditStep, ...]:
        """Return the steps of one feature."""
        return tuple(step for step in self.steps if step.feature == feature)

    def changes(self, feature: str, method: str) -> np.ndarray:
        """Return the measured change of all features in cohort SDs, shape (steps, 3); NaN without a thyroid."""
        start = self.start.measured.as_array()
        rows = []
        for step in self.of(feature):
            made = getattr(step, method)
            rows.append(np.full(3, np.nan) if made is None else (made.measured.as_array() - start) / self.cohort_sd)
        return np.array(rows).reshape(-1, 3)

    def rows(self) -> list[dict[str, Any]]:
        """Return every step as a row of a table."""
        return [
            {
                "case": self.id,
                "varied": step.feature,
                "by_sd": step.by_sd,
                "method": label,
                **made.measured.as_dict(),
            }
            for step in self.steps
            for method, label in METHOD_LABELS.items()
            for made in [getattr(step, method)]
            if made is not None
        ]


def vary_features(
    model: TrainedModel,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> EditSeries | None:
    """Vary each feature of the most typical training case that has an isthmus; None if it has no surface."""
    spread = model.features.std(axis=0) + 1e-9
    index = _typical_case(model.features, spread)
    try:
        start = reconstruct(model, index, resolution=resolution)
    except SynthesisError:
        return None
    shapes = ModelShapes(model)
    own = start.measured.as_array()
    low, high = model.features.min(axis=0), model.features.max(axis=0)
    steps: list[EditStep] = []
    for column, name in enumerate(FEATURE_NAMES):
        for by_sd, features in varied(own, column, spread, low, high):
            check(should_stop)
            progress(len(steps) / (3 * len(_STEPS)), f"Varying the {name.split('_')[0]} of {model.ids[index]}")
            if by_sd == 0:
                steps.append(EditStep(name, 0.0, start, start if model.conditioning.size else None))
                continue
            targets = Targets.from_array(features)
            steered = steer_to_target(shapes, start, targets, resolution=resolution, should_stop=should_stop)
            direct_sampling = None
            if model.conditioning.size:
                # The same change of the condition that the case was trained with.
                condition = model.features[index].copy()
                condition[column] = np.clip(condition[column] + by_sd * spread[column], low[column], high[column])
                direct_sampling = with_condition(model, start.code, condition, resolution=resolution)
            steps.append(EditStep(name, by_sd, steered.thyroid, direct_sampling))
    return EditSeries(model.ids[index], start, tuple(steps), spread)


def varied(
    own: np.ndarray, column: int, spread: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the steps of one feature in ascending order: the change in SDs, and all features (3,).

    The steps end at `REACH_SD` or at the limit of the cohort's range; a value outside the range is moved only towards
    it.
    """
    value = own[column]
    down = np.clip(low[column] - value, -REACH_SD * spread[column], 0.0)
    up = np.clip(high[column] - value, 0.0, REACH_SD * spread[column])
    for share in _STEPS:
        features = own.copy()
        moved = value + (share * up if share > 0 else -share * down)
        # Rounding must not move a step at the limit out of the range.
        features[column] = np.clip(moved, min(low[column], value), max(high[column], value))
        yield float((features[column] - value) / spread[column]), features


def _typical_case(features: np.ndarray, spread: np.ndarray) -> int:
    distance = np.linalg.norm((features - np.median(features, axis=0)) / spread, axis=1)
    return int(np.argmin(np.where(features[:, 1] > 0, distance, distance + 1e6)))
