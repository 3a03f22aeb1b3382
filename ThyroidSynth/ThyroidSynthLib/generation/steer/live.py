"""Steering that keeps up with a hand at a slider: one surface for each move, the exact one at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import Shapes, decoded_at
from ThyroidSynthLib.generation.thyroid import Thyroid

from .targeting import Objective, Steered, steer_to_target

# Below this misfit, in tolerances, the start itself is what is asked for: steering goes no further either.
_AT_START = 0.1
# How far a move may end from where it was foretold, as a share of the move and in cohort SDs, for its
# outcome to be learned from; beyond that the derivatives are taken anew.
_FORETOLD_SHARE = 0.3
_FORETOLD_SD = 0.02
# Shares of a step that are tried until one gives a valid surface that is nearer to the targets, or this near to
# them (in cohort SDs). Else the best one is taken, unless it is much further: a step that meets one feature may
# disturb another, which the next one mends.
_MUCH_FURTHER = 2.0
_NEAR_SD = 0.05
_SHARES = (1.0, 0.4, 0.15)


class LiveSteering:
    """Follows changing targets from one start.

    Each `follow` corrects the last surface by one step, so that a hand that moves on or rests is met
    within a few surfaces. What a step did teaches the derivatives for the next (Broyden's method), and
    they are taken anew only where it was not as foretold. All steps aim at the codes nearest to the
    start's: where the hand comes back to, the shape comes back to, and what was not asked to change
    drifts nowhere.

    Parameters
    ----------
    shapes : Shapes
        The family of shapes.
    start : Thyroid
        One of them.

    Attributes
    ----------
    start : Thyroid
    current : Thyroid
        The last one that was given.
    """

    def __init__(self, shapes: Shapes, start: Thyroid) -> None:
        self._shapes = shapes.in_small_steps()
        self.start = self.current = start
        self._local: Sensitivity | None = None

    def follow(self, targets: Mapping[str, float], *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
        """Give a thyroid near the targets, as a rule after decoding one surface.

        Parameters
        ----------
        targets : mapping
            Features to reach or to hold, by name; those not named are free.
        resolution : int
            Grid on which the surface is decoded.

        Returns
        -------
        Thyroid
            The nearer to the targets the smaller the move was. Stays the last one where every step leads to
            no valid surface or far from the targets.

        Raises
        ------
        InputError
            A target is no feature, or no thyroid can have it.
        """
        objective = Objective(self._shapes, targets)
        if objective.misfit(self.start) <= _AT_START:
            self._take(self.start)
            return self.current
        if self._local is not None and self._step(objective, self._local, resolution, _SHARES[:1]):
            return self.current
        # Nothing was learned, or it led astray. Derivatives of a surface that is finer than usual take long.
        if (self.current.resolution or 0) > DEFAULT_RESOLUTION:
            self.decoded_at(DEFAULT_RESOLUTION)
        self._step(objective, self._shapes.sensitivity(self.current), resolution, _SHARES)
        return self.current

    def _step(self, objective: Objective, local: Sensitivity, resolution: int, shares: tuple[float, ...]) -> bool:
        """Go to the first valid surface that is nearer to the aim, or to the best one; say whether there was any.

        Derivatives that were learned are only trusted as long as they lead nearer.
        """
        step = objective.step(self.current, local, self.start.code)
        before = objective.distance(self.current)
        best, least = None, _MUCH_FURTHER * before + _NEAR_SD if len(shares) > 1 else max(before, _NEAR_SD)
        for share in shares:
            try:
                trial = self._shapes.thyroid(self.current.code + np.float32(share) * step, resolution=resolution)
            except SynthesisError:
                continue
            distance = objective.distance(trial)
            if trial.validity.ok and distance < least:
                best, least = trial, distance
                if distance < max(before, _NEAR_SD):
                    break
        if best is None:
            return False
        learned = self._learned(local, self.current, best)
        self._take(replace(best, targets=objective.targets, seed=self.start.seed, index=self.start.index))
        self._local = learned
        return True

    def settle(
        self,
        targets: Mapping[str, float],
        *,
        resolution: int = DEFAULT_RESOLUTION,
        progress: ProgressCallback = silent,
        should_stop: ShouldStop = never,
    ) -> Steered:
        """Steer to the targets exactly, from where following has come.

        Raises
        ------
        InputError
            A target is no feature, or no thyroid can have it.
        Cancelled
            `should_stop` returned true.
        """
        start = self.start if Objective(self._shapes, targets).misfit(self.start) <= _AT_START else self.current
        steered = steer_to_target(
            self._shapes, start, targets, resolution=resolution, progress=progress, should_stop=should_stop
        )
        self._take(steered.thyroid)
        return steered

    def decoded_at(self, resolution: int) -> Thyroid:
        """Give the last one on another grid; it is the last one from then on."""
        self._take(decoded_at(self._shapes, self.current, resolution))
        return self.current

    def go_on_from(self, thyroid: Thyroid) -> None:
        """Follow on from another of the shapes, as after an undo; the start stays what it was."""
        self._take(thyroid)

    def _learned(self, local: Sensitivity, before: Thyroid, after: Thyroid) -> Sensitivity | None:
        """Give the derivatives after a move, or None where they must be taken anew."""
        if min(before.measured.isthmus_area_mm2, after.measured.isthmus_area_mm2) == 0:
            return None  # Without an isthmus its area cannot be learned from.
        move = after.code.astype(np.float64) - before.code
        change = after.measured.as_array() - before.measured.as_array()
        missed = change - local.jacobian @ move
        scale = self._shapes.model.features.std(axis=0) + 1e-9
        if np.linalg.norm(missed / scale) > _FORETOLD_SHARE * np.linalg.norm(change / scale) + _FORETOLD_SD:
            return None
        along = self._shapes.space.precision @ move
        length = float(move @ along)
        if length <= 0:
            return None
        jacobian = local.jacobian + np.outer(missed, along) / length
        return Sensitivity(after.measured.as_array(), jacobian)

    def _take(self, thyroid: Thyroid) -> None:
        if thyroid is not self.current:
            self.current, self._local = thyroid, None
