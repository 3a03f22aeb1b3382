"""Cross-talk: the change of the held features while one is moved by one cohort SD (paper, figure 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, Thyroid, thyroid_of_code
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.trained_model import TrainedModel


@dataclass(frozen=True)
class Move:
    """One feature moved by one SD, the others held.

    `change` (3,) is the measured change of all features in cohort SDs, in the direction of the move: ideally 1 for the
    moved feature and 0 for the others.
    """

    feature: str
    sign: int  # +1 or -1
    change: np.ndarray
    met: bool  # False if steering reported that the targets are out of reach


@dataclass(frozen=True)
class CrossTalk:
    """All moves with one method."""

    moves: tuple[Move, ...]
    thyroids: int  # number of thyroids of which features were moved
    skipped: int  # moves that were not made because they would have left the cohort's range
    invalid: int = 0  # moves without a valid surface to measure

    def matrix(self) -> np.ndarray:
        """Return the mean absolute change of each feature (columns) while each (rows) is moved, in cohort SDs.

        Targets out of reach are excluded. The diagonal belongs to the moved features and should be 1. NaN where no
        move was made.
        """
        result = np.full((3, 3), np.nan)
        for row, name in enumerate(FEATURE_NAMES):
            change = self._changes(name)
            if len(change):
                result[row] = np.abs(change).mean(axis=0)
        return result

    def worst_held(self) -> float | None:
        """Return the largest off-diagonal entry of the matrix; None if there is none."""
        held = self.matrix()[~np.eye(3, dtype=bool)]
        return float(np.nanmax(held)) if np.isfinite(held).any() else None

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for a JSON file."""
        return {
            "thyroids": self.thyroids,
            "moves": len(self.moves),
            "out_of_reach": sum(not move.met for move in self.moves),
            "outside_cohort_range": self.skipped,
            "without_valid_surface": self.invalid,
            "worst_held": self.worst_held(),
            "moved": {name: found for name in FEATURE_NAMES if (found := self._summary(name))},
        }

    def rows(self, method: str) -> list[dict[str, Any]]:
        """Return every move as a row of a table."""
        return [
            {
                "method": method,
                "moved": move.feature,
                "by_sd": move.sign,
                "met": move.met,
                **{f"change_{name}_sd": float(value) for name, value in zip(FEATURE_NAMES, move.change, strict=True)},
            }
            for move in self.moves
        ]

    def _changes(self, name: str, *, met_only: bool = True) -> np.ndarray:
        return np.array([m.change for m in self.moves if m.feature == name and (m.met or not met_only)])

    def _summary(self, name: str) -> dict[str, Any]:
        change, all_changes = self._changes(name), self._changes(name, met_only=False)
        if not len(change):
            return {}
        return {
            "moves": len(change),
            **{
                other: {
                    "mean": float(change[:, column].mean()),
                    "mean_abs": float(np.abs(change[:, column]).mean()),
                    "largest_abs": float(np.abs(change[:, column]).max()),
                    "mean_abs_with_out_of_reach": float(np.abs(all_changes[:, column]).mean()),
                }
                for column, other in enumerate(FEATURE_NAMES)
            },
        }


def cross_talk_of_steering(
    model: TrainedModel,
    codes: Sequence[np.ndarray],
    *,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> CrossTalk:
    """Steer thyroids to their own features, one of them moved by one SD up or down.

    They start from `codes`, each of shape (code_size,), which must have a surface.
    """
    shapes = ModelShapes(model)

    def steered(start: Thyroid, features: np.ndarray) -> tuple[Thyroid, bool]:
        targets = Targets.from_array(features)
        found = steer_to_target(shapes, start, targets, resolution=resolution, should_stop=should_stop)
        return found.thyroid, found.met

    thyroids = (shapes.thyroid(code, resolution=resolution) for code in codes)
    starts = ((thyroid, thyroid.measured.as_array()) for thyroid in thyroids)
    return _move_features(model, starts, len(codes), (1, -1), steered, progress, should_stop)


def cross_talk_of_direct_sampling(
    model: TrainedModel,
    thyroids: Sequence[GeneratedThyroid],
    *,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> CrossTalk:
    """Raise one feature of the condition by one SD and keep the trainable code, as in the paper.

    The thyroids are made by direct sampling with a model with conditions; their targets hold all three features.
    """

    def resampled(start: Thyroid, features: np.ndarray) -> tuple[Thyroid, bool] | None:
        found = with_condition(model, start.code, features, resolution=resolution)
        return None if found is None else (found, True)

    starts = ((generated.thyroid, generated.targets.as_array()) for generated in thyroids)
    return _move_features(model, starts, len(thyroids), (1,), resampled, progress, should_stop)


def _move_features(
    model: TrainedModel,
    starts: Iterable[tuple[Thyroid, np.ndarray]],
    count: int,
    signs: Sequence[int],
    move: Callable[[Thyroid, np.ndarray], tuple[Thyroid, bool] | None],
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> CrossTalk:
    """Move each feature (3,) of each start by one SD, if it stays within the cohort's range.

    `move` returns the thyroid with the given features and whether they are met, or None without a valid surface.
    """
    spread, low, high = model.features.std(axis=0), model.features.min(axis=0), model.features.max(axis=0)
    moves: list[Move] = []
    skipped = invalid = 0
    for number, (start, own) in enumerate(starts):
        progress(number / count, f"Moving one feature at a time, thyroid {number + 1} of {count}")
        for (column, name), sign in product(enumerate(FEATURE_NAMES), signs):
            check(should_stop)
            features = own.copy()
            features[column] += sign * spread[column]
            if spread[column] == 0 or not low[column] <= features[column] <= high[column]:
                skipped += 1
                continue
            moved = move(start, features)
            if moved is None:
                invalid += 1
                continue
            thyroid, met = moved
            change = sign * (thyroid.measured.as_array() - start.measured.as_array()) / spread
            moves.append(Move(name, sign, change, met))
    return CrossTalk(tuple(moves), count, skipped, invalid)


def with_condition(model: TrainedModel, code: np.ndarray, features: np.ndarray, *, resolution: int) -> Thyroid | None:
    """Decode a code with the condition replaced by features (3,) in mL, mm² and 1; the trainable code is kept.

    Return None if the result has no valid surface.
    """
    changed = np.concatenate([model.conditioning.encode(features)[0], code[model.conditioning.size :]])
    try:
        thyroid = thyroid_of_code(model, changed.astype(np.float32), resolution=resolution)
    except SynthesisError:
        return None
    return thyroid if thyroid.validity.ok else None
