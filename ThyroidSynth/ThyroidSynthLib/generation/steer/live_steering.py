"""Interactive steering: one surface for each move of a slider, and the exact one when it rests."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import Shapes, decoded_at
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.targets import Targets

from .contact import Contact
from .steering import Objective, SteeringResult, steer_to_target

# Below this misfit, in tolerances, the start itself meets the targets; exact steering stops there too.
_AT_START = 0.1
# Largest error of a move's linear prediction, as a share of the move and in cohort SDs, at which the derivatives
# are updated from it; beyond it they are computed anew.
_PREDICTED_SHARE = 0.3
_PREDICTED_SD = 0.02
# Shares of a step that are tried until a valid surface is nearer to the targets, or this near to them (in cohort
# SDs). Otherwise the best one is taken, unless it is much farther: a step towards one target may disturb
# another feature, which the next step corrects.
_MUCH_FARTHER = 2.0
_NEAR_SD = 0.05
_SHARES = (1.0, 0.4, 0.15)


class LiveSteering:
    """Steering that follows changing targets from one start; `current` is the last thyroid that was returned.

    Each `follow` corrects the last surface by one step, so that moving targets are met within a few
    surfaces. The derivatives are updated from the outcome of each step (Broyden's method) and computed anew
    only where the linear prediction was poor. All steps lead to the codes nearest to the start's code: targets
    that return to the start's features return to its shape, and free directions do not drift. A thyroid keeps the
    contact with rigid structures that the start has.
    """

    def __init__(self, shapes: Shapes, start: Thyroid, contact: Contact | None = None) -> None:
        self._shapes = shapes.in_small_steps()
        self._contact = None if contact is None else contact.kept_by(start.surface)
        self.start = self.current = start
        self._local: Sensitivity | None = None

    def follow(self, targets: Targets, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
        """Return a thyroid near targets to reach or to hold, as a rule after decoding one surface.

        The smaller the move, the nearer it is to the targets. It is the last one if no step leads to a valid surface
        near them.
        """
        objective = Objective(self._shapes, targets, self._contact)
        if objective.misfit_of_targets(self.start) <= _AT_START:
            self._take(self.start)
            return self.current
        if self._local is not None and self._step(objective, self._local, resolution, _SHARES[:1]):
            return self.current
        # Derivatives of a surface on a finer grid take long.
        if (self.current.resolution or 0) > DEFAULT_RESOLUTION:
            self.decoded_at(DEFAULT_RESOLUTION)
        self._step(objective, self._shapes.sensitivity(self.current), resolution, _SHARES)
        return self.current

    def settle(
        self,
        targets: Targets,
        *,
        resolution: int = DEFAULT_RESOLUTION,
        progress: ProgressCallback = silent,
        should_stop: ShouldStop = never,
    ) -> SteeringResult:
        """Steer exactly to the targets from the current thyroid."""
        objective = Objective(self._shapes, targets, self._contact)
        result = steer_to_target(
            self._shapes,
            self.start if objective.misfit_of_targets(self.start) <= _AT_START else self.current,
            targets,
            contact=self._contact,
            resolution=resolution,
            progress=progress,
            should_stop=should_stop,
        )
        self._take(result.thyroid)
        return result

    def decoded_at(self, resolution: int) -> Thyroid:
        """Decode the current thyroid on a grid of another resolution; this is the current one from then on."""
        self._take(decoded_at(self._shapes, self.current, resolution))
        return self.current

    def go_on_from(self, thyroid: Thyroid) -> None:
        """Make another of the shapes the current one, as after an undo; the start stays the same."""
        self._take(thyroid)

    def _step(self, objective: Objective, local: Sensitivity, resolution: int, shares: tuple[float, ...]) -> bool:
        """Take the first valid surface nearer to the targets, or the best one; return whether there was one.

        With updated derivatives there is one share only, and it must lead nearer.
        """
        step = objective.step(self.current, local, self.start.code)
        before = objective.distance(self.current)
        best, least = None, _MUCH_FARTHER * before + _NEAR_SD if len(shares) > 1 else max(before, _NEAR_SD)
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
        updated = self._updated(local, self.current, best)
        self._take(best)
        self._local = updated
        return True

    def _updated(self, local: Sensitivity, before: Thyroid, after: Thyroid) -> Sensitivity | None:
        """Return the derivatives after a move, or None where they must be computed anew."""
        if min(before.measured.isthmus_area_mm2, after.measured.isthmus_area_mm2) == 0:
            return None  # The isthmus area is not differentiable where the isthmus appears or vanishes.
        move = after.code.astype(np.float64) - before.code
        change = after.measured.as_array() - before.measured.as_array()
        missed = change - local.jacobian @ move
        scale = self._shapes.model.features.std(axis=0) + 1e-9
        if np.linalg.norm(missed / scale) > _PREDICTED_SHARE * np.linalg.norm(change / scale) + _PREDICTED_SD:
            return None
        along = self._shapes.space.precision @ move
        length = float(move @ along)
        if length <= 0:
            return None
        jacobian = local.jacobian + np.outer(missed, along) / length
        return Sensitivity(after.measured.as_array(), jacobian, local.motion.after(move))

    def _take(self, thyroid: Thyroid) -> None:
        if thyroid is not self.current:
            self.current, self._local = thyroid, None
