"""Steering to target: move a latent code until the final surface measures what was asked.

One-shot steering tells the network what is wanted and hopes. Here the surface is measured, the exact
derivatives of its features say how the code must change, and the smallest plausible change is made;
a few rounds meet several targets at once. The measure of plausibility is the normal distribution of
the training codes: a change along directions in which real shapes differ is small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import InputError, SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import ModelShapes, Shapes
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.shape_model import ShapeModel

# Volume within 2 %, isthmus area within 3 mm² or 3 %, symmetry within 0.01 count as met; steering goes
# on to a fraction of that, where the surface's own resolution ends.
TOLERANCE = {"volume_ml": (0.0, 0.02), "isthmus_area_mm2": (3.0, 0.03), "symmetry": (0.01, 0.0)}
_FINE = 0.1
# Longest step of a round, in SDs of the training codes.
_LONGEST_STEP = 3.0
# Keeps the step finite where targets contradict each other, as a share of what they can move.
_DAMPING = 1e-4
_PAST_SLIVER_MM2 = 3.0
# Corrections on a finer grid, where a surface takes long, at most.
_FINE_ROUNDS = 4
# Rounds that lead no nearer until steering from there is given up: as many as it takes to try ever shorter steps.
_PATIENCE = 6


@dataclass(frozen=True)
class Steered:
    """The result of steering to target.

    Attributes
    ----------
    thyroid : Thyroid
        The nearest that was reached; its `asked` are the targets.
    met : bool
        Whether every target is met within `TOLERANCE`. Otherwise it is out of reach from here.
    error : dict of str to float
        Measured minus asked, for each target.
    rounds : int
        Surfaces that were decoded.
    moved : float
        Length of the code's change, in SDs per dimension.
    distance : float
        Distance of the final code to the training codes' mean, in the same unit.
    """

    thyroid: Thyroid
    met: bool
    error: dict[str, float]
    rounds: int
    moved: float
    distance: float


def check_targets(targets: Mapping[str, float]) -> None:
    """Refuse features that do not exist and values that no thyroid can have.

    Raises
    ------
    InputError
        Names the feature and what it may be.
    """
    for name, value in targets.items():
        if name not in FEATURE_NAMES:
            raise InputError(f"There is no feature '{name}'. Choose among: {', '.join(FEATURE_NAMES)}.")
        high = 1.0 if name == "symmetry" else np.inf
        if not (0.0 <= value <= high and np.isfinite(value)) or (name == "volume_ml" and value == 0):
            allowed = "between 0 and 1" if name == "symmetry" else "positive" if name == "volume_ml" else "0 or more"
            raise InputError(f"{name} = {value:g} is impossible. It must be {allowed}.")


def is_met(name: str, measured: float, target: float) -> bool:
    """Say whether a feature is as near to its target as `TOLERANCE` asks."""
    return bool(_misfit(name, measured, target) <= 1.0)


def _misfit(name: str, measured: float, target: float) -> float:
    """Error in units of the tolerance."""
    absolute, relative = TOLERANCE[name]
    return abs(measured - target) / max(absolute, relative * abs(target))


def steer_to_target(
    shapes: Shapes | ShapeModel,
    start: Thyroid,
    targets: Mapping[str, float],
    *,
    resolution: int = DEFAULT_RESOLUTION,
    max_rounds: int = 16,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Steered:
    """Change a thyroid's code as little as it takes for its surface to measure the targets.

    Parameters
    ----------
    shapes : Shapes or ShapeModel
        The family of shapes that the thyroid belongs to.
    start : Thyroid
        Where to start, such as a one-shot thyroid or a fitted one.
    targets : mapping
        Features to reach, by name, in mL, mm² and 1. Those not named are free.
    resolution : int
        Grid on which the surface is decoded and measured. Where it is finer than the usual one, the targets
        are met on that first, and then corrected on the finer one, which takes few of its surfaces.
    max_rounds : int
        Surfaces to decode on the usual grid at most.

    Returns
    -------
    Steered
        Deterministic: no random number is drawn.

    Raises
    ------
    InputError
        A target is no feature, or no thyroid can have it.
    """
    if isinstance(shapes, ShapeModel):
        shapes = ModelShapes(shapes)
    shapes = shapes.in_small_steps()
    objective = Objective(shapes, targets)
    if start.resolution == resolution and objective.misfit(start) <= _FINE:
        return objective.result(start, start, 0)
    coarse = min(resolution, DEFAULT_RESOLUTION)
    to_coarse = progress if coarse == resolution else part_of(progress, 0.0, 0.5)
    rounds = _Rounds(shapes, objective, coarse, max_rounds, to_coarse, should_stop)
    # Met on another grid is not met: what is given is measured on this one.
    on_grid = start if start.resolution in (None, coarse) else rounds.decoded(start.code)
    best = rounds.approach(on_grid, shapes.sensitivity)
    if objective.misfit(best) > 1.0 and rounds.left > 0:
        best = rounds.told(best)
    if coarse == resolution:
        return objective.result(start, best, rounds.made)
    finer = _Rounds(shapes, objective, resolution, 1 + _FINE_ROUNDS, part_of(progress, 0.5, 1.0), should_stop)
    return objective.result(start, finer.finish(best), rounds.made + finer.made)


class _Rounds:
    """Rounds of a steering on one grid: a step towards the aim, and a surface that is measured.

    Parameters
    ----------
    most : int
        Surfaces to decode at most.

    Attributes
    ----------
    made : int
        Surfaces that were decoded.
    """

    def __init__(
        self,
        shapes: Shapes,
        objective: Objective,
        resolution: int,
        most: int,
        progress: ProgressCallback,
        should_stop: ShouldStop,
    ) -> None:
        self._shapes, self._objective, self._resolution, self._most = shapes, objective, resolution, most
        self._progress, self._should_stop = progress, should_stop
        self.made = 0

    @property
    def left(self) -> int:
        """Surfaces that may still be decoded."""
        return self._most - self.made

    def approach(self, start: Thyroid, derivatives: Callable[[Thyroid], Sensitivity]) -> Thyroid:
        """Go on from a thyroid while rounds are left, or until some have led no nearer, and give the nearest."""
        objective = self._objective
        best = current = start
        best_misfit = current_misfit = objective.misfit(start)
        improved = self.made
        reach, step = 1.0, None
        while self.left > 0 and self.made - improved < _PATIENCE and best_misfit > _FINE:
            if step is None:
                check(self._should_stop)
                step = objective.step(current, derivatives(current))
            try:
                trial = self.decoded(current.code + reach * step)
            except SynthesisError:
                trial = None
            misfit = objective.misfit(trial) if trial is not None and trial.validity.ok else np.inf
            if misfit < current_misfit * 0.98 or (misfit < np.inf and reach < 0.1):
                current, current_misfit, step = trial, misfit, None
                reach = min(1.0, 2 * reach)
            else:
                reach /= 3
                if reach < 0.03:
                    break
            if misfit < best_misfit:
                best, best_misfit, improved = trial, misfit, self.made
        return best

    def told(self, failed: Thyroid) -> Thyroid:
        """Begin anew from a thyroid whose code's fixed part says what is aimed at; give the nearer one.

        Derivatives say how an isthmus grows, and hardly how one comes to be: the model, which learned glands
        with one and without, knows that.
        """
        code = self._objective.told(failed)
        if code is None:
            return failed
        try:
            told = self.decoded(code)
        except SynthesisError:
            return failed
        if not told.validity.ok:
            return failed
        reached = self.approach(told, self._shapes.sensitivity)
        return min(failed, reached, key=self._objective.misfit)

    def finish(self, coarse: Thyroid) -> Thyroid:
        """Meet the aim on this grid as well, from a thyroid that does on a coarser one.

        What the grids tell apart is so little that the coarser one's derivatives serve: one surface, and as
        a rule one or two more that correct it.
        """
        fine = self.decoded(coarse.code)
        if not fine.validity.ok or self._objective.misfit(fine) <= _FINE:
            return fine
        jacobian = self._shapes.sensitivity(coarse).jacobian
        return self.approach(fine, lambda thyroid: Sensitivity(thyroid.measured.as_array(), jacobian))

    def decoded(self, code: np.ndarray) -> Thyroid:
        """Decode and measure a code."""
        check(self._should_stop)
        self._progress(self.made / self._most, f"Steering, round {self.made + 1} of {self._resolution}³ points")
        self.made += 1
        return self._shapes.thyroid(code, resolution=self._resolution)


class Objective:
    """The targets of a steering, and the step towards them.

    Parameters
    ----------
    targets : mapping
        See `steer_to_target`.

    Raises
    ------
    InputError
        A target is no feature, or no thyroid can have it.
    """

    def __init__(self, shapes: Shapes, targets: Mapping[str, float]) -> None:
        check_targets(targets)
        self._space, self._conditioning = shapes.space, shapes.model.conditioning
        self._names = [name for name in FEATURE_NAMES if name in targets]
        self._rows = [FEATURE_NAMES.index(name) for name in self._names]
        self._wanted = np.array([targets[name] for name in self._names])
        self._scale = shapes.model.features.std(axis=0)[self._rows] + 1e-9

    @property
    def targets(self) -> dict[str, float]:
        """The targets by name."""
        return dict(zip(self._names, self._wanted.tolist(), strict=True))

    def misfit(self, thyroid: Thyroid) -> float:
        """Largest error of a target, in tolerances."""
        measured = thyroid.measured.as_array()[self._rows]
        return max(map(_misfit, self._names, measured, self._wanted), default=0.0)

    def distance(self, thyroid: Thyroid) -> float:
        """How far a thyroid is from all targets together, in SDs of the cohort."""
        return float(np.linalg.norm((thyroid.measured.as_array()[self._rows] - self._wanted) / self._scale))

    def step(self, thyroid: Thyroid, local: Sensitivity, anchor: np.ndarray | None = None) -> np.ndarray:
        """Give the change of a thyroid's code, shape (code_size,), that meets the targets to first order.

        Of all such changes it ends nearest to the code `anchor` (the thyroid's own by default), measured
        in SDs of training codes. Many small steps with one anchor do not drift along what the targets
        leave free, and back at the anchor's features they are back at the anchor's code.
        """
        anchor = thyroid.code if anchor is None else anchor
        jacobian = local.jacobian[self._rows] / self._scale[:, None]
        spread = self._space.covariance @ jacobian.T
        gain = jacobian @ spread
        damping = _DAMPING * np.trace(gain) / len(gain) * np.eye(len(gain))
        back = np.asarray(anchor, dtype=np.float64) - thyroid.code
        error = self._error(local) / self._scale + jacobian @ back
        step = back - spread @ np.linalg.solve(gain + damping, error)
        length = self._space.length(step)
        return (step * min(1.0, _LONGEST_STEP / max(length, 1e-12))).astype(np.float32)

    def told(self, thyroid: Thyroid) -> np.ndarray | None:
        """Give a thyroid's code with the targets in its fixed part; None where a model is not told features."""
        if not self._conditioning.size:
            return None
        features = thyroid.measured.as_array()
        features[self._rows] = self._wanted
        code = thyroid.code.copy()
        code[: self._conditioning.size] = self._conditioning.encode(features)[0]
        return code

    def _error(self, local: Sensitivity) -> np.ndarray:
        error = local.values[self._rows] - self._wanted
        for place, name in enumerate(self._names):
            if name == "isthmus_area_mm2" and self._wanted[place] == 0:
                # Without an isthmus any gap will do; with one, aim past the vanishing sliver.
                error[place] = 0.0 if local.values[1] <= 0 else error[place] + _PAST_SLIVER_MM2
        return error

    def result(self, start: Thyroid, best: Thyroid, rounds: int) -> Steered:
        """Say how the steering from `start` to `best` ended."""
        measured = best.measured.as_array()[self._rows]
        moved = self._space.length(best.code.astype(np.float64) - start.code) / np.sqrt(len(best.code))
        met, distance = bool(self.misfit(best) <= 1.0), self._space.distance(best.code)
        thyroid = replace(
            best,
            targets=self.targets,
            seed=start.seed,
            index=start.index,
            attempts=start.attempts,
            met=met,
            distance=distance,
        )
        return Steered(
            thyroid=thyroid,
            met=met,
            error=dict(zip(self._names, (measured - self._wanted).tolist(), strict=True)),
            rounds=rounds,
            moved=moved,
            distance=distance,
        )
