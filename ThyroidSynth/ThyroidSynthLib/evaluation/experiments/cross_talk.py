"""Leakage: how much the other features change while one is moved by one cohort SD (paper, figure 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.targeting import steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid, thyroid_of_code
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.shape_model import ShapeModel


@dataclass(frozen=True)
class Move:
    """One feature moved by one SD, the others held.

    Attributes
    ----------
    feature : str
        Which one.
    sign : int
        +1 or -1.
    change : ndarray, shape (3,)
        What all features did, in cohort SDs, in the direction of the move; 1 and zeros are perfect.
    reached : bool
        False where the software itself said that the targets are out of reach.
    """

    feature: str
    sign: int
    change: np.ndarray
    reached: bool


@dataclass(frozen=True)
class CrossTalk:
    """All moves of one way of steering.

    Attributes
    ----------
    moves : tuple of Move
    thyroids : int
        From how many thyroids.
    not_asked : int
        Moves that would have left the cohort's range, and were not made.
    lost : int
        Moves that gave no sound surface, so that there is nothing to measure.
    """

    moves: tuple[Move, ...]
    thyroids: int
    without_targets: int
    lost: int = 0

    def matrix(self, *, reached_only: bool = True) -> np.ndarray:
        """Mean absolute change of each feature (columns) while each (rows) is moved, in cohort SDs.

        The diagonal is how far the moved one went, which should be 1. NaN where no move was made.
        """
        result = np.full((3, 3), np.nan)
        for row, name in enumerate(FEATURE_NAMES):
            change = self._changes(name, reached_only)
            if len(change):
                result[row] = np.abs(change).mean(axis=0)
        return result

    def worst_held(self) -> float | None:
        """Largest entry beside the diagonal."""
        held = self.matrix()[~np.eye(3, dtype=bool)]
        return float(np.nanmax(held)) if np.isfinite(held).any() else None

    def as_dict(self) -> dict[str, Any]:
        """Give the numbers for a JSON file."""
        return {
            "thyroids": self.thyroids,
            "moves": len(self.moves),
            "declared_out_of_reach": sum(not move.reached for move in self.moves),
            "beyond_the_cohort": self.without_targets,
            "without_valid_surface": self.lost,
            "worst_held": self.worst_held(),
            "moved": {name: found for name in FEATURE_NAMES if (found := self._summary(name))},
        }

    def rows(self, method: str) -> list[dict[str, Any]]:
        """Give every move as a row of a table."""
        return [
            {
                "method": method,
                "moved": move.feature,
                "by_sd": move.sign,
                "reached": move.reached,
                **{f"change_{name}_sd": float(value) for name, value in zip(FEATURE_NAMES, move.change, strict=True)},
            }
            for move in self.moves
        ]

    def _changes(self, name: str, reached_only: bool = True) -> np.ndarray:
        return np.array([m.change for m in self.moves if m.feature == name and (m.reached or not reached_only)])

    def _summary(self, name: str) -> dict[str, Any]:
        change, everything = self._changes(name), self._changes(name, reached_only=False)
        if not len(change):
            return {}
        return {
            "moves": len(change),
            **{
                other: {
                    "mean": float(change[:, column].mean()),
                    "mean_abs": float(np.abs(change[:, column]).mean()),
                    "largest_abs": float(np.abs(change[:, column]).max()),
                    "mean_abs_with_unreached": float(np.abs(everything[:, column]).mean()),
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
    """Steer thyroids to their own features but one, which is moved by one SD up and down.

    Parameters
    ----------
    codes : sequence of ndarray, shape (code_size,)
        Where to start: codes that have a surface.

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
        for column, sign, wanted in _steps(model, before, signs=(1, -1)):
            check(should_stop)
            if wanted is None:
                skipped += 1
                continue
            targets = dict(zip(FEATURE_NAMES, wanted.tolist(), strict=True))
            steered = steer_to_target(shapes, start, targets, resolution=resolution, should_stop=should_stop)
            change = sign * (steered.thyroid.measured.as_array() - before) / spread
            moves.append(Move(FEATURE_NAMES[column], sign, change, steered.met))
    return CrossTalk(tuple(moves), len(codes), skipped)


def cross_talk_of_direct_sampling(
    model: ShapeModel,
    thyroids: Sequence[Thyroid],
    *,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> CrossTalk:
    """Raise one feature of the condition by one SD and keep the trainable code, as the paper edits.

    Parameters
    ----------
    thyroids : sequence of Thyroid
        One-shot thyroids of a model with conditions; `asked` holds all three features.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    spread = model.features.std(axis=0)
    moves: list[Move] = []
    skipped = lost = 0
    for number, thyroid in enumerate(thyroids):
        progress(number / len(thyroids), f"Changing one condition at a time, thyroid {number + 1} of {len(thyroids)}")
        targets = np.array([thyroid.targets[name] for name in FEATURE_NAMES])
        for column, sign, wanted in _steps(model, targets, signs=(1,)):
            check(should_stop)
            if wanted is None:
                skipped += 1
                continue
            after = with_condition(model, thyroid.code, wanted, resolution=resolution)
            if after is None:
                lost += 1
                continue
            change = sign * (after.measured.as_array() - thyroid.measured.as_array()) / spread
            moves.append(Move(FEATURE_NAMES[column], sign, change, True))
    return CrossTalk(tuple(moves), len(thyroids), skipped, lost)


def with_condition(model: ShapeModel, code: np.ndarray, features: np.ndarray, *, resolution: int) -> Thyroid | None:
    """Decode a code with another condition, features (3,) in mL, mm² and 1; its trainable part stays.

    None where that has no sound surface.
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
    """Yield column, sign and features (3,) of every move; None for features beyond the cohort's range."""
    spread, low, high = model.features.std(axis=0), model.features.min(axis=0), model.features.max(axis=0)
    for column in range(len(FEATURE_NAMES)):
        for sign in signs:
            wanted = start.copy()
            wanted[column] += sign * spread[column]
            inside = spread[column] > 0 and low[column] <= wanted[column] <= high[column]
            yield column, sign, wanted if inside else None
