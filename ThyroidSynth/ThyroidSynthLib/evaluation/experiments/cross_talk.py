"""Cross-talk: the change of the held features while one is moved by one cohort SD (paper, figure 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from ThyroidSynthLib.model.shape_model import ShapeModel


@dataclass(frozen=True)
class Move:
    """One feature moved by one SD, the others held.

    Attributes
    ----------
    feature : str
        The moved feature.
    sign : int
        +1 or -1.
    change : ndarray, shape (3,)
        Measured change of all features in cohort SDs, in the direction of the move: ideally 1 for the moved feature
        and 0 for the others.
    met : bool
        False if steering reported that the targets are out of reach.
    """

    feature: str
    sign: int
    change: np.ndarray
    met: bool


@dataclass(frozen=True)
class CrossTalk:
    """All moves with one method.

    Attributes
    ----------
    moves : tuple of Move
    thyroids : int
        Number of thyroids of which features were moved.
    skipped : int
        Moves that were not made because they would have left the cohort's range.
    invalid : int
        Moves without a valid surface to measure.
    """

    moves: tuple[Move, ...]
    thyroids: int
    skipped: int
    invalid: int = 0

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
    model: ShapeModel,
    codes: Sequence[np.ndarray],
    *,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> CrossTalk:
    """Steer thyroids to their own features, one of them moved by one SD up or down.

    Parameters
    ----------
    codes : sequence of ndarray, shape (code_size,)
        Codes to start from; each must have a surface.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    shapes, spread = ModelShapes(model), model.features.std(axis=0)
    moves: list[Move] = []
    skipped = 0
    for number, code in enumerate(codes):
        progress(number / len(codes), f"Moving one feature at a time, thyroid {number + 1} of {len(codes)}")
        start = shapes.thyroid(code, resolution=resolution)
        before = start.measured.as_array()
        for column, sign, features in _steps(model, before, signs=(1, -1)):
            check(should_stop)
            if features is None:
                skipped += 1
                continue
            targets = Targets.from_array(features)
            steered = steer_to_target(shapes, start, targets, resolution=resolution, should_stop=should_stop)
            change = sign * (steered.thyroid.measured.as_array() - before) / spread
            moves.append(Move(FEATURE_NAMES[column], sign, change, steered.met))
    return CrossTalk(tuple(moves), len(codes), skipped)


def cross_talk_of_direct_sampling(
    model: ShapeModel,
    thyroids: Sequence[GeneratedThyroid],
    *,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> CrossTalk:
    """Raise one feature of the condition by one SD and keep the trainable code, as in the paper.

    Parameters
    ----------
    thyroids : sequence of GeneratedThyroid
        Made by direct sampling with a model with conditions; their targets hold all three features.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    spread = model.features.std(axis=0)
    moves: list[Move] = []
    skipped = invalid = 0
    for number, generated in enumerate(thyroids):
        thyroid = generated.thyroid
        progress(number / len(thyroids), f"Changing one condition at a time, thyroid {number + 1} of {len(thyroids)}")
        targets = generated.targets.as_array()
        for column, sign, features in _steps(model, targets, signs=(1,)):
            check(should_stop)
            if features is None:
                skipped += 1
                continue
            after = with_condition(model, thyroid.code, features, resolution=resolution)
            if after is None:
                invalid += 1
                continue
            change = sign * (after.measured.as_array() - thyroid.measured.as_array()) / spread
            moves.append(Move(FEATURE_NAMES[column], sign, change, True))
    return CrossTalk(tuple(moves), len(thyroids), skipped, invalid)


def with_condition(model: ShapeModel, code: np.ndarray, features: np.ndarray, *, resolution: int) -> Thyroid | None:
    """Decode a code with the condition replaced by features (3,) in mL, mm² and 1; the trainable code is kept.

    Return None if the result has no valid surface.
    """
    changed = np.concatenate([model.conditioning.encode(features)[0], code[model.conditioning.size :]])
    try:
        thyroid = thyroid_of_code(model, changed.astype(np.float32), resolution=resolution)
    except SynthesisError:
        return None
    return thyroid if thyroid.validity.ok else None


def _steps(
    model: ShapeModel, start: np.ndarray, *, signs: Sequence[int]
) -> Iterator[tuple[int, int, np.ndarray | None]]:
    """Yield column, sign and features (3,) of every move; features are None outside the cohort's range."""
    spread, low, high = model.features.std(axis=0), model.features.min(axis=0), model.features.max(axis=0)
    for column in range(len(FEATURE_NAMES)):
        for sign in signs:
            features = start.copy()
            features[column] += sign * spread[column]
            inside = spread[column] > 0 and low[column] <= features[column] <= high[column]
            yield column, sign, features if inside else None
