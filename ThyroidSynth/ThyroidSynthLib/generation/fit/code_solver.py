"""Find the code of an observed gland by robust nonlinear least squares in code space.

The derivatives of the network by the code are known exactly at every point (`Field.derivatives`), so a fit is a small
least-squares problem, which takes a dozen Levenberg-Marquardt steps instead of hundreds of gradient steps. A Gaussian
prior of the training codes is added, so the result is the mode of a posterior. The Cauchy loss limits the influence of
large residuals, such as those at a leak or a gap in a segmentation.

The upright frame has its origin at the craniocaudal level of the whole gland, which is unknown if the scan's border
cuts the gland. In that case a shift along the third axis is fitted as well.

The solver is our own: `scipy.optimize.least_squares` reaches the same error on three glands, but takes 1.2 to 5 times
the CPU time, as it factorises the whole Jacobian instead of the small normal equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ThyroidSynthLib.common.progress import ShouldStop, check
from ThyroidSynthLib.generation.decode.field import CodedShapes, Field
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.network import SDFNetwork

from .observation import Observation

_INITIAL_DAMPING = 1e-2
_MAX_DAMPING = 1e6
# A step that reduces the cost by a smaller share is the last.
_MIN_RELATIVE_GAIN = 2e-3
# Scale of the Cauchy loss in typical residuals: where all residuals are normal, it keeps about 90 % of the information.
_CAUCHY_SCALE = 1.8
# Prior SD of the craniocaudal shift of a cut gland.
_SHIFT_SD_MM = 12.0
# SD of an offset relative to the mean SD of what the training codes add to the first layer. With less, fits keep more
# of the model's error; with more, they follow the errors of a segmentation. See `docs/decisions/generalisation.md`.
_OFFSET_SD = 1.0
# Share of independent points in the covariance. It is chosen so that intervals of 90 % contain the true value nine
# times in ten for cut example glands; see `docs/method.md`.
_COVARIANCE_SHARE = 0.0015


class FittedShapes(CodedShapes, Protocol):
    """Shapes with a latent code in a `frame`: those of a `TrainedModel`, or those around one of its codes."""

    @property
    def frame(self) -> Frame:
        """The `unit` frame."""


@dataclass(frozen=True)
class _ShapesAround:
    """The shapes around a code, whose codes are the offsets of the network's first layer."""

    network: SDFNetwork
    frame: Frame

    @property
    def code_size(self) -> int:
        return self.network.width


@dataclass(frozen=True)
class Pose:
    """A code (code_size,) and the shift of its gland along the third axis, in the frame of the observation."""

    code: np.ndarray
    shift_mm: float = 0.0

    def moved(self, change: np.ndarray) -> Pose:
        """Return the pose after a change (k,) of the code and, if it has one more number, of the shift."""
        size = len(self.code)
        shift = float(change[size]) if len(change) > size else 0.0
        return Pose(self.code + change[:size], self.shift_mm + shift)


@dataclass(frozen=True)
class State:
    """How well a pose explains an observation.

    Attributes
    ----------
    residual : ndarray, shape (n,)
        Error of the signed distance at each point, in SDs of the point; 0 where only the side is known and it is
        correct.
    weight : ndarray, shape (n,)
        Weight of each point by the Cauchy loss, 0 to 1.
    gradient : ndarray, shape (k,)
        Half the gradient of the cost by the code and, if it is fitted, the shift.
    curvature : ndarray, shape (k, k)
        Gauss-Newton approximation of half the Hessian of the points' cost.
    precision : ndarray, shape (k, k)
        Inverse covariance of the prior.
    """

    pose: Pose
    residual: np.ndarray
    weight: np.ndarray
    cost: float
    gradient: np.ndarray
    curvature: np.ndarray
    precision: np.ndarray

    def stepped(self, damping: float) -> Pose:
        """Return the pose after a Levenberg-Marquardt step, damped by a multiple of the prior's precision."""
        return self.pose.moved(np.linalg.solve(self.curvature + (1 + damping) * self.precision, -self.gradient))


@dataclass(frozen=True)
class Problem:
    """The least-squares problem of a fit, with or without a craniocaudal shift.

    The typical size of a residual, in SDs, is infinite for plain least squares.
    """

    model: FittedShapes
    space: CodeSpace
    observation: Observation
    fits_shift: bool = False
    typical_residual: float = np.inf
    _precision: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        size = len(self.space.mean)
        precision = np.zeros((size + self.fits_shift,) * 2)
        precision[:size, :size] = self.space.precision
        if self.fits_shift:
            precision[size, size] = _SHIFT_SD_MM**-2
        object.__setattr__(self, "_precision", precision)

    def cost(self, pose: Pose) -> float:
        """Return the cost of a pose, without derivatives."""
        residual, _ = self._residual(Field(self.model, pose.code)(self._points(pose)))
        return self._total(residual, self._offset(pose))

    def at(self, pose: Pose) -> State:
        """Return the cost of a pose with its derivatives."""
        seen = self.observation
        values, space, code = Field(self.model, pose.code).derivatives(self._points(pose))
        residual, correct_side = self._residual(values)
        jacobian = code.astype(np.float64)
        if self.fits_shift:
            jacobian = np.hstack([jacobian, -space[:, 2:] / self.model.frame.scale_mm[2]])
        jacobian /= seen.error_sd[:, None]
        jacobian[correct_side] = 0.0
        weight = 1 / (1 + (residual / self._limit) ** 2)
        weighted = seen.independent_share * weight[:, None] * jacobian
        offset = self._offset(pose)
        return State(
            pose=pose,
            residual=residual,
            weight=weight,
            cost=self._total(residual, offset),
            gradient=weighted.T @ residual + self._precision @ offset,
            curvature=weighted.T @ jacobian,
            precision=self._precision,
        )

    def around(self, pose: Pose) -> tuple[Problem, Pose]:
        """Return the problem of finding an offset of the network's first layer beside the code of a pose.

        Also returns the pose without an offset; its shift stays. A priori the offset has mean 0 and the same SD for all
        units.
        """
        of_code = self.model.network.layers[0].weight[:, 3:].astype(np.float64)
        added = np.sqrt(np.einsum("ij,jk,ik->i", of_code, self.space.covariance, of_code))
        sd, none = _OFFSET_SD * float(added.mean()), np.zeros(len(added))
        space = CodeSpace(none, sd**2 * np.eye(len(none)), sd**-2 * np.eye(len(none)))
        shapes = _ShapesAround(self.model.network.around(pose.code), self.model.frame)
        return replace(self, model=shapes, space=space, fits_shift=False), replace(pose, code=none)

    def made_robust(self, state: State) -> Problem:
        """Return the problem with the Cauchy loss, scaled by the median absolute residual of a state."""
        known = np.abs(state.residual[self.observation.side == 0])
        return replace(self, typical_residual=max(1.0, 1.4826 * float(np.median(known))))

    def with_contradictions(self, pose: Pose) -> Problem | None:
        """Return the problem with the reserve voxels that a pose puts on the wrong side; None if there are none."""
        field = Field(self.model, pose.code)
        more = self.observation.contradicted(lambda points_mm: field(self._in_unit(points_mm, pose)))
        return None if more is None else replace(self, observation=more)

    def with_outside(self, points_mm: np.ndarray) -> Problem:
        """Return the problem with points (n, 3) that are known to lie outside of the gland."""
        return replace(self, observation=self.observation.with_outside(points_mm))

    @property
    def _limit(self) -> np.ndarray:
        """Scale of the Cauchy loss at each point, in SDs of the point."""
        return _CAUCHY_SCALE * self.typical_residual * self.observation.tolerance

    def covariance(self, state: State) -> np.ndarray:
        """Return the posterior covariance (k, k) of code and shift by Laplace's approximation.

        The errors of the model itself are correlated over the whole gland, so fewer points count as independent
        here than in the fit.
        """
        share = _COVARIANCE_SHARE / self.observation.independent_share
        return np.linalg.inv(share * state.curvature + state.precision)

    def _points(self, pose: Pose) -> np.ndarray:
        return self._in_unit(self.observation.points_mm, pose)

    def _in_unit(self, points_mm: np.ndarray, pose: Pose) -> np.ndarray:
        return self.model.frame.to_unit(points_mm - [0.0, 0.0, pose.shift_mm])

    def _residual(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error = values - self.observation.target
        # Where only the side is known, any distance on that side is correct.
        correct_side = self.observation.side * error > 0
        return np.where(correct_side, 0.0, error) / self.observation.error_sd, correct_side

    def _offset(self, pose: Pose) -> np.ndarray:
        offset = pose.code - self.space.mean
        return np.append(offset, pose.shift_mm) if self.fits_shift else offset

    def _total(self, residual: np.ndarray, offset: np.ndarray) -> float:
        limit = self._limit
        loss = residual**2 if np.isinf(self.typical_residual) else limit**2 * np.log1p((residual / limit) ** 2)
        return float(self.observation.independent_share * loss.sum() + offset @ self._precision @ offset)


def descend(
    problem: Problem,
    start: Pose,
    rounds: int,
    *,
    should_stop: ShouldStop,
    on_step: Callable[[int], None] | None = None,
) -> tuple[State, int]:
    """Minimise the cost from a pose by at most `rounds` Levenberg-Marquardt steps.

    `on_step` is called with the number of each step. Returns the final state and the number of steps.
    """
    state, damping, taken = problem.at(start), _INITIAL_DAMPING, 0
    while taken < rounds and damping <= _MAX_DAMPING:
        check(should_stop)
        if on_step is not None:
            on_step(taken + 1)
        trial = problem.at(state.stepped(damping))
        taken += 1
        gain = state.cost - trial.cost
        if gain <= 0:
            damping *= 8
            continue
        state, damping = trial, damping / 5
        if gain < _MIN_RELATIVE_GAIN * state.cost:
            break
    return state, taken
