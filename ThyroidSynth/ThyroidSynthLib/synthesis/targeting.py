"""Steering to target: move a latent code until the final surface measures what was asked.

One-shot steering tells the network what is wanted and hopes. Here the surface is measured, the exact
derivatives of its features say how the code must change, and the smallest plausible change is made;
a few rounds meet several targets at once. The measure of plausibility is the normal distribution of
the training codes: a change along directions in which real shapes differ is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..anatomy.features import FEATURE_NAMES
from ..errors import InputError, SynthesisError
from ..learning.model import ShapeModel
from ..progress import ProgressCallback, StopRequested, check, never, silent
from .decoding import DEFAULT_RESOLUTION
from .prior import mirror_covariance
from .sensitivity import Sensitivity, sensitivity
from .thyroid import Thyroid, thyroid_of_code

# Volume within 2 %, isthmus area within 3 mm² or 3 %, symmetry within 0.01 count as met; steering goes
# on to a fraction of that, where the surface's own resolution ends.
TOLERANCE = {"volume_ml": (0.0, 0.02), "isthmus_area_mm2": (3.0, 0.03), "symmetry": (0.01, 0.0)}
_FINE = 0.1
# Longest step of a round, in SDs of the training codes.
_LONGEST_STEP = 3.0


@dataclass(frozen=True)
class CodeSpace:
    """The training codes' joint normal distribution, fixed and trainable dimensions together.

    Attributes
    ----------
    mean : ndarray, shape (code_size,)
    covariance : ndarray, shape (code_size, code_size)
    precision : ndarray, shape (code_size, code_size)
    """

    mean: np.ndarray
    covariance: np.ndarray
    precision: np.ndarray

    @classmethod
    def of(cls, model: ShapeModel) -> CodeSpace:
        """Fit the distribution to a model's training codes."""
        codes = model.codes.astype(np.float64)
        mean = codes.mean(axis=0)
        mirrored = model.settings.mirrored_size
        if mirrored:
            mean[-mirrored:] = 0.0
        covariance = mirror_covariance(codes - mean, mirrored)
        return cls(mean, covariance, np.linalg.inv(covariance))

    def distance(self, code: np.ndarray) -> float:
        """How far a code is from the mean, in SDs per dimension: a training code has about 1."""
        offset = np.asarray(code, dtype=np.float64) - self.mean
        return float(np.sqrt(offset @ self.precision @ offset / len(offset)))


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
    model: ShapeModel,
    start: Thyroid,
    targets: Mapping[str, float],
    *,
    space: CodeSpace | None = None,
    resolution: int = DEFAULT_RESOLUTION,
    max_rounds: int = 16,
    progress: ProgressCallback = silent,
    stop_requested: StopRequested = never,
) -> Steered:
    """Change a thyroid's code as little as it takes for its surface to measure the targets.

    Parameters
    ----------
    start : Thyroid
        Where to start, such as a one-shot thyroid or a fitted one.
    targets : mapping
        Features to reach, by name, in mL, mm² and 1. Those not named are free.
    space : CodeSpace, optional
        The training codes' distribution, when many thyroids of a model are steered.
    resolution : int
        Grid on which the surface is decoded and measured.
    max_rounds : int
        Surfaces to decode at most.

    Returns
    -------
    Steered
        Deterministic: no random number is drawn.

    Raises
    ------
    InputError
        A target is no feature, or no thyroid can have it.
    """
    check_targets(targets)
    space = space or CodeSpace.of(model)
    names = [name for name in FEATURE_NAMES if name in targets]
    wanted = np.array([targets[name] for name in names])
    seeker = _Seeker(model, space, names, wanted)
    best = current = start
    best_misfit = current_misfit = seeker.misfit(start)
    rounds, reach = 0, 1.0
    step = None
    while rounds < max_rounds and best_misfit > _FINE:
        check(stop_requested)
        progress(rounds / max_rounds, f"Steering, round {rounds + 1}")
        if step is None:
            step = seeker.step(current)
        try:
            trial = thyroid_of_code(model, current.code + reach * step, resolution=resolution)
        except SynthesisError:
            trial = None
        rounds += 1
        misfit = seeker.misfit(trial) if trial is not None and trial.validity.ok else np.inf
        if misfit < current_misfit * 0.98 or (misfit < np.inf and reach < 0.1):
            current, current_misfit, step = trial, misfit, None
            reach = min(1.0, 2 * reach)
        else:
            reach /= 3
            if reach < 0.03:
                break
        if misfit < best_misfit:
            best, best_misfit = trial, misfit
    return seeker.result(start, best, best_misfit, rounds)


class _Seeker:
    """The targets of one steering, and the step towards them."""

    def __init__(self, model: ShapeModel, space: CodeSpace, names: list[str], wanted: np.ndarray) -> None:
        self.model, self.space, self.names, self.wanted = model, space, names, wanted
        self.rows = [FEATURE_NAMES.index(name) for name in names]

    def misfit(self, thyroid: Thyroid) -> float:
        """Largest error of a target, in tolerances."""
        measured = thyroid.measured.as_array()[self.rows]
        return max(map(_misfit, self.names, measured, self.wanted), default=0.0)

    def step(self, thyroid: Thyroid) -> np.ndarray:
        """Smallest change of the code, measured in SDs of training codes, that meets the targets to first order."""
        local = sensitivity(self.model, thyroid.code, thyroid.surface, thyroid.measured)
        error = self._error(local)
        jacobian = local.jacobian[self.rows] / self._scale()[:, None]
        spread = self.space.covariance @ jacobian.T
        gain = jacobian @ spread
        damping = 1e-4 * np.trace(gain) / len(gain)
        step = spread @ np.linalg.solve(gain + damping * np.eye(len(gain)), -error / self._scale())
        length = float(np.sqrt(step @ self.space.precision @ step))
        return (step * min(1.0, _LONGEST_STEP / max(length, 1e-12))).astype(np.float32)

    def _error(self, local: Sensitivity) -> np.ndarray:
        error = local.values[self.rows] - self.wanted
        for place, name in enumerate(self.names):
            if name == "isthmus_area_mm2" and self.wanted[place] == 0:
                # Without an isthmus any gap will do; with one, aim past the vanishing sliver.
                error[place] = 0.0 if local.values[1] <= 0 else error[place] + 3.0
        return error

    def _scale(self) -> np.ndarray:
        return self.model.features.std(axis=0)[self.rows] + 1e-9

    def result(self, start: Thyroid, best: Thyroid, misfit: float, rounds: int) -> Steered:
        measured = best.measured.as_array()[self.rows]
        offset = best.code.astype(np.float64) - start.code
        moved = float(np.sqrt(offset @ self.space.precision @ offset / len(offset)))
        asked = dict(zip(self.names, self.wanted.tolist(), strict=True))
        met, distance = bool(misfit <= 1.0), self.space.distance(best.code)
        thyroid = replace(
            best,
            asked=asked,
            seed=start.seed,
            index=start.index,
            attempts=start.attempts,
            met=met,
            distance=distance,
        )
        return Steered(
            thyroid=thyroid,
            met=met,
            error=dict(zip(self.names, (measured - self.wanted).tolist(), strict=True)),
            rounds=rounds,
            moved=moved,
            distance=distance,
        )
