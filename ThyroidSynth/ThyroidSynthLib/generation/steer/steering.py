"""Steering to target: the latent code is refined until the measured features match the targets.

Direct sampling gives the network the targets and accepts what it makes. Here the surface is measured, the
exact shape derivatives of its features give the change of the code, and of all changes the smallest is taken,
in the metric of the training codes' normal distribution. A few rounds match several targets at once. Where there are
rigid structures, such as the patient's own trachea, the same step moves the surface out of them (see `contact`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.decode.sensitivity import AREA_PER_GAP_MM, Sensitivity
from ThyroidSynthLib.generation.shapes import ModelShapes, Shapes
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, Thyroid
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets, misfit
from ThyroidSynthLib.model.trained_model import TrainedModel

from .contact import Contact

FINE = 0.1
"""Steering goes on to this fraction of the tolerance, which is about what the resolution of the surface allows."""

# Longest step of a round, in SDs of the training codes.
_LONGEST_STEP = 3.0
# Keeps the step finite where targets contradict each other, relative to the mean gain of the targets.
_DAMPING = 1e-4
_ISTHMUS = FEATURE_NAMES.index("isthmus_area_mm2")
_SMALLEST_GAIN = 1e-30
_PAST_SLIVER_MM2 = 3.0
# Largest number of corrections on a finer grid, where a surface takes long.
_FINE_ROUNDS = 4
# Which points press on a structure changes with the step, which is therefore found in a few turns.
_CONTACT_TURNS = 6
# Rounds without improvement until a start is given up: as many as shortening a step repeatedly takes.
_PATIENCE = 6


@dataclass(frozen=True)
class SteeringResult:
    """The result of steering to target.

    Attributes
    ----------
    thyroid : Thyroid
        The nearest to the targets that was found.
    misfit : float
        Largest error of a target, or of the contact with rigid structures, as a multiple of its tolerance.
    error : dict of str to float
        Measured minus target, for each target.
    rounds : int
        Surfaces that were decoded.
    moved : float
        Length of the code's change, in SDs per dimension.
    distance : float
        Distance of the final code to the training codes' mean, in the same unit.
    overlap_misfit : float
        Overlap with rigid structures, as a multiple of its tolerance.
    """

    thyroid: Thyroid
    targets: Targets
    misfit: float
    error: dict[str, float]
    rounds: int
    moved: float
    distance: float
    overlap_misfit: float = 0.0

    @property
    def met(self) -> bool:
        """Whether every target is met and nothing overlaps, within their tolerances; otherwise it is out of reach."""
        values = self.targets.as_dict()
        errors = (misfit(name, values[name] + error, values[name]) for name, error in self.error.items())
        return max(self.overlap_misfit, *errors, 0.0) <= 1.0

    def applied_to(self, drawn: GeneratedThyroid) -> GeneratedThyroid:
        """Return the drawn thyroid from which the steering started, as it is after it."""
        return replace(drawn, thyroid=self.thyroid, targets=self.targets, met=self.met, distance=self.distance)


def steer_to_target(
    shapes: Shapes | TrainedModel,
    start: Thyroid,
    targets: Targets,
    *,
    contact: Contact | None = None,
    resolution: int = DEFAULT_RESOLUTION,
    max_rounds: int = 16,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> SteeringResult:
    """Change a thyroid's latent code as little as possible so that its measured features match the targets.

    The result is deterministic: no random number is drawn.

    Parameters
    ----------
    shapes : Shapes or TrainedModel
        The family of shapes that the thyroid belongs to.
    start : Thyroid
        Where to start, such as a thyroid by direct sampling or a fitted one.
    contact : Contact, optional
        Structures that the thyroid must not enter. The targets may be empty then.
    resolution : int
        Grid on which the surface is decoded and measured. If it is finer than the default, steering is done
        on the default one and then corrected on the finer one, which needs only a few of its surfaces.
    max_rounds : int
        Largest number of surfaces decoded on the default grid; as many again where separate lobes are to be joined.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    if isinstance(shapes, TrainedModel):
        shapes = ModelShapes(shapes)
    shapes = shapes.in_small_steps()
    objective = Objective(shapes, targets, contact)
    if start.resolution == resolution and objective.misfit(start) <= FINE:
        return objective.result(start, start, 0)
    coarse = min(resolution, DEFAULT_RESOLUTION)
    to_coarse = progress if coarse == resolution else part_of(progress, 0.0, 0.5)
    rounds = _Rounds(shapes, objective, coarse, max_rounds, to_coarse, should_stop)
    # Features differ slightly between grids, so the start is measured on this one.
    on_grid = start if start.resolution in (None, coarse) else rounds.decoded(start.code)
    best = rounds.approach(on_grid, shapes.sensitivity)
    if objective.misfit(best) > 1.0 and rounds.left > 0:
        best = rounds.restart_with_condition(best)
    decoded = rounds.decoded_count
    if objective.misfit(best) > 1.0 and objective.needs_isthmus(on_grid):
        # Lobes far apart: without credit for coming closer, no step on the way to an isthmus seems to be progress.
        bridging = Objective(shapes, targets, contact, counts_gaps=True)
        closer = _Rounds(shapes, bridging, coarse, max_rounds, to_coarse, should_stop)
        best = min(best, closer.approach(on_grid, shapes.sensitivity), key=objective.misfit)
        decoded += closer.decoded_count
    if coarse == resolution:
        return objective.result(start, best, decoded)
    finer = _Rounds(shapes, objective, resolution, 1 + _FINE_ROUNDS, part_of(progress, 0.5, 1.0), should_stop)
    finest = finer.correct(best)
    return objective.result(start, finest, decoded + finer.decoded_count)


class _Rounds:
    """Rounds of a steering on one grid: each takes a step towards the targets and measures the surface.

    At most `most` surfaces are decoded; `decoded_count` is their number so far.
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
        self.decoded_count = 0

    @property
    def left(self) -> int:
        """Surfaces that may still be decoded."""
        return self._most - self.decoded_count

    def approach(self, start: Thyroid, derivatives: Callable[[Thyroid], Sensitivity]) -> Thyroid:
        """Return the nearest thyroid found from a start until the rounds are used up or no longer improve it."""
        objective = self._objective
        best = current = start
        best_misfit = current_misfit = objective.misfit(start)
        improved = self.decoded_count
        share, step = 1.0, None
        while self.left > 0 and self.decoded_count - improved < _PATIENCE and best_misfit > FINE:
            if step is None:
                check(self._should_stop)
                step = objective.step(current, derivatives(current))
            trial = self._valid(current.code + share * step)
            if trial is None:
                share /= 3
                if share < 0.03:
                    break
                continue
            trial_misfit = objective.misfit(trial)
            if trial_misfit < best_misfit:
                best, best_misfit, improved = trial, trial_misfit, self.decoded_count
            # A very short step is taken even if it does not improve: from there the derivatives differ.
            if trial_misfit < current_misfit * 0.98 or share < 0.1:
                current, current_misfit, step = trial, trial_misfit, None
                share = min(1.0, 2 * share)
            else:
                share /= 3
        return best

    def restart_with_condition(self, failed: Thyroid) -> Thyroid:
        """Start again with the targets as the network's condition, and return the nearer thyroid of both.

        Shape derivatives cannot make an isthmus where there is none; the network has learned both kinds of
        gland.
        """
        code = self._objective.conditioned_code(failed)
        restart = None if code is None else self._valid(code)
        if restart is None:
            return failed
        return min(failed, self.approach(restart, self._shapes.sensitivity), key=self._objective.misfit)

    def correct(self, coarse: Thyroid) -> Thyroid:
        """Return a thyroid that meets the targets on this grid, given one that does on a coarser grid.

        The grids differ so little that the coarser one's derivatives serve: as a rule two or three surfaces.
        """
        fine = self.decoded(coarse.code)
        if not fine.validity.ok or self._objective.misfit(fine) <= FINE:
            return fine
        local = self._shapes.sensitivity(coarse)

        def derivatives(thyroid: Thyroid) -> Sensitivity:
            moved = thyroid.code.astype(np.float64) - coarse.code
            return Sensitivity(thyroid.measured.as_array(), local.jacobian, local.motion.after(moved))

        return self.approach(fine, derivatives)

    def decoded(self, code: np.ndarray) -> Thyroid:
        """Decode and measure a code."""
        check(self._should_stop)
        message = f"Steering, round {self.decoded_count + 1} of {self._resolution}³ points"
        self._progress(self.decoded_count / self._most, message)
        self.decoded_count += 1
        return self._shapes.thyroid(code, resolution=self._resolution)

    def _valid(self, code: np.ndarray) -> Thyroid | None:
        """Decode a code; None without a valid surface."""
        try:
            thyroid = self.decoded(code)
        except SynthesisError:
            return None
        return thyroid if thyroid.validity.ok else None


class Objective:
    """The targets of a steering and the contact to keep, and the step towards them.

    If it `counts_gaps`, lobes that come closer to each other are nearer to the target of an isthmus.
    """

    def __init__(
        self, shapes: Shapes, targets: Targets, contact: Contact | None = None, *, counts_gaps: bool = False
    ) -> None:
        self._counts_gaps = counts_gaps
        self._space, self._conditioning = shapes.space, shapes.model.conditioning
        self._targets, self._contact = targets, contact
        self._names = list(targets.as_dict())
        self._rows = [FEATURE_NAMES.index(name) for name in self._names]
        self._values = targets.as_array()[self._rows]
        self._scale = shapes.model.features.std(axis=0)[self._rows] + 1e-9

    def misfit(self, thyroid: Thyroid) -> float:
        """Return the largest error of a target or of the contact, as a multiple of its tolerance."""
        of_targets = self.misfit_of_targets(thyroid)
        return of_targets if self._contact is None else max(of_targets, self._contact.misfit(thyroid.surface))

    def misfit_of_targets(self, thyroid: Thyroid) -> float:
        """Return the largest error of a target, as a multiple of its tolerance."""
        return max(map(misfit, self._names, self._signed(thyroid), self._values), default=0.0)

    def error(self, thyroid: Thyroid) -> dict[str, float]:
        """Return measured minus target, for each target."""
        error = thyroid.measured.as_array()[self._rows] - self._values
        return dict(zip(self._names, error.tolist(), strict=True))

    def distance(self, thyroid: Thyroid) -> float:
        """Return how far a thyroid is from all targets together, in SDs of the cohort."""
        return float(np.linalg.norm((self._signed(thyroid) - self._values) / self._scale))

    def needs_isthmus(self, thyroid: Thyroid) -> bool:
        """Return whether a thyroid lacks an isthmus that is a target."""
        target = dict(zip(self._names, self._values, strict=True)).get("isthmus_area_mm2", 0.0)
        return bool(target > 0 and thyroid.measured.isthmus_area_mm2 == 0)

    def _signed(self, thyroid: Thyroid) -> np.ndarray:
        """Return the measured features that have targets; a gap is a negative area if it counts."""
        values = thyroid.measured.as_array()
        if self._counts_gaps and self.needs_isthmus(thyroid):
            values[_ISTHMUS] = -AREA_PER_GAP_MM * float(np.abs(thyroid.surface.vertices[:, 0]).min())
        return values[self._rows]

    def step(self, thyroid: Thyroid, local: Sensitivity, anchor: np.ndarray | None = None) -> np.ndarray:
        """Return the change of a thyroid's code (code_size,) that meets the targets to first order.

        Of all such changes it ends nearest to the code `anchor` (by default the thyroid's own), in SDs of the
        training codes. With one anchor, many small steps do not drift along free directions, and return to
        the anchor's code with its features.
        """
        anchor = thyroid.code if anchor is None else anchor
        back = np.asarray(anchor, dtype=np.float64) - thyroid.code
        step = self._to_targets(local, back, self._space.covariance)
        if self._contact is not None:
            rows = self._contact.rows(local.motion, thyroid.surface)
            active = rows.active(step)
            for _ in range(_CONTACT_TURNS):
                step = self._to_targets(local, *rows.response(active, self._space.precision, back))
                before, active = active, rows.active(step)
                if np.array_equal(active, before):
                    break
        length = self._space.length(step)
        return (step * min(1.0, _LONGEST_STEP / max(length, 1e-12))).astype(np.float32)

    def _to_targets(self, local: Sensitivity, back: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """Return the change (k,) nearest to the change `back` that meets the targets, in SDs of a covariance (k, k)."""
        if not self._rows:
            return back
        jacobian = local.jacobian[self._rows] / self._scale[:, None]
        spread = covariance @ jacobian.T
        gain = jacobian @ spread
        # No code changes the symmetry of a single lobe far from the middle: the gain is 0 then, and so is the step.
        damping = _DAMPING * max(np.trace(gain) / len(gain), _SMALLEST_GAIN) * np.eye(len(gain))
        error = self._error(local) / self._scale + jacobian @ back
        return back - spread @ np.linalg.solve(gain + damping, error)

    def conditioned_code(self, thyroid: Thyroid) -> np.ndarray | None:
        """Return a thyroid's code with the targets as its condition; None for a model without conditions."""
        if not self._conditioning.size:
            return None
        features = thyroid.measured.as_array()
        features[self._rows] = self._values
        code = thyroid.code.copy()
        code[: self._conditioning.size] = self._conditioning.encode(features)[0]
        return code

    def result(self, start: Thyroid, best: Thyroid, rounds: int) -> SteeringResult:
        """Return the result of a steering from `start` to `best`."""
        return SteeringResult(
            thyroid=best,
            targets=self._targets,
            misfit=self.misfit(best),
            error=self.error(best),
            rounds=rounds,
            moved=self._space.length(best.code.astype(np.float64) - start.code) / len(best.code) ** 0.5,
            distance=self._space.distance(best.code),
            overlap_misfit=0.0 if self._contact is None else self._contact.overlap_misfit(best.surface),
        )

    def _error(self, local: Sensitivity) -> np.ndarray:
        error = local.values[self._rows] - self._values
        for row, name in enumerate(self._names):
            if name == "isthmus_area_mm2" and self._values[row] == 0:
                # Any gap between the lobes is enough; a bridge must shrink to beyond nothing to open one.
                error[row] = 0.0 if local.values[1] <= 0 else error[row] + _PAST_SLIVER_MM2
        return error
