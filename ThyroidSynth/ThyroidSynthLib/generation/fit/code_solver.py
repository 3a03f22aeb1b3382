"""The code of an observed gland: robust nonlinear least squares in code space.

Because the network's dependence on the code is known exactly at every point (`Field.derivatives`), a fit
is a small least-squares problem, solved in a dozen Levenberg-Marquardt steps rather than hundreds of
gradient steps. The code's distance to those of training counts as well, so that the mode of a posterior
is found. Residuals count fully while they are ordinary and hardly where they are not (Cauchy's loss):
a leak or a bite of a segmentation bends the rest of the gland little.

Where the scan's border cuts a gland, its level in the upright frame is not known, since that is the level
of the whole gland. Then the gland may shift along the frame's third axis as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ThyroidSynthLib.common.progress import ShouldStop, check
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.shape_model import ShapeModel

from .observation import Observation

_STARTS_DAMPING = 1e-2
_MOST_DAMPING = 1e6
_LEAST_GAIN = 2e-3
# Residuals beyond so many times the ordinary are doubted; where all are ordinary this costs a tenth of what they tell.
_DOUBTED = 1.8
# How far the level of a cut gland may be off, one SD.
_SHIFT_SD_MM = 12.0
# Share of the points that tell something of their own of how sure a fit is. So that intervals of 90 % hold the
# truth nine times in ten on cut example glands; see `docs/method.md`.
_SURE_SHARE = 0.0015


@dataclass(frozen=True)
class Pose:
    """A code, and the level at which its gland lies in the frame that it was observed in.

    Attributes
    ----------
    code : ndarray of float64, shape (code_size,)
    shift_mm : float
        Along the third axis.
    """

    code: np.ndarray
    shift_mm: float = 0.0


@dataclass(frozen=True)
class State:
    """How well a pose explains an observation.

    Attributes
    ----------
    pose : Pose
    residual : ndarray, shape (n,)
        Error of the signed distance at each point, in its own SDs; 0 where a point is on its side.
    trust : ndarray, shape (n,)
        What Cauchy's loss leaves of a point's say, 0 to 1.
    cost : float
    slope : ndarray, shape (k,)
        Half the gradient of the cost by the code and, where it is free, the shift.
    curvature : ndarray, shape (k, k)
        What the points say of them (Gauss-Newton).
    precision : ndarray, shape (k, k)
        What the prior says of them.
    """

    pose: Pose
    residual: np.ndarray
    trust: np.ndarray
    cost: float
    slope: np.ndarray
    curvature: np.ndarray
    precision: np.ndarray

    def stepped(self, damping: float) -> Pose:
        """Give the pose after a Levenberg-Marquardt step, damped in units of the prior."""
        change = np.linalg.solve(self.curvature + (1 + damping) * self.precision, -self.slope)
        return moved(self.pose, change)


def moved(pose: Pose, change: np.ndarray) -> Pose:
    """Add a change (k,) of the code and, where it holds one more number, of the shift."""
    size = len(pose.code)
    shift = float(change[size]) if len(change) > size else 0.0
    return Pose(pose.code + change[:size], pose.shift_mm + shift)


@dataclass(frozen=True)
class Problem:
    """What poses are measured by.

    Attributes
    ----------
    model : ShapeModel
    space : CodeSpace
        The training codes' distribution.
    observation : Observation
    level_free : bool
        Whether the gland's level is to be found too.
    ordinary : float
        Ordinary size of a residual, in SDs; infinite for plain least squares.
    """

    model: ShapeModel
    space: CodeSpace
    observation: Observation
    level_free: bool = False
    ordinary: float = np.inf
    _precision: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        size = len(self.space.mean)
        precision = np.zeros((size + self.level_free,) * 2)
        precision[:size, :size] = self.space.precision
        if self.level_free:
            precision[size, size] = _SHIFT_SD_MM**-2
        object.__setattr__(self, "_precision", precision)

    def cost(self, pose: Pose) -> float:
        """Give the cost of a pose alone, without derivatives."""
        residual, _ = self._residual(Field(self.model, pose.code)(self._points(pose)))
        return self._total(residual, self._offset(pose))

    def at(self, pose: Pose) -> State:
        """Give the cost of a pose with its derivatives."""
        seen = self.observation
        values, space, code = Field(self.model, pose.code).derivatives(self._points(pose))
        residual, settled = self._residual(values)
        jacobian = code.astype(np.float64)
        if self.level_free:
            jacobian = np.hstack([jacobian, -space[:, 2:] / self.model.frame.scale_mm[2]])
        jacobian /= seen.error_sd[:, None]
        jacobian[settled] = 0.0
        trust = 1 / (1 + (residual / self._limit) ** 2)
        weighted = seen.share * trust[:, None] * jacobian
        offset = self._offset(pose)
        return State(
            pose=pose,
            residual=residual,
            trust=trust,
            cost=self._total(residual, offset),
            slope=weighted.T @ residual + self._precision @ offset,
            curvature=weighted.T @ jacobian,
            precision=self._precision,
        )

    def doubting(self, state: State) -> Problem:
        """Give the problem that doubts what is out of the ordinary among a state's residuals."""
        exact = np.abs(state.residual[self.observation.side == 0])
        return replace(self, ordinary=max(1.0, 1.4826 * float(np.median(exact))))

    def firmer(self, pose: Pose) -> Problem | None:
        """Give the problem that also minds the voxels which a pose puts on the wrong side; None without any."""
        field = Field(self.model, pose.code)
        more = self.observation.contradicted(lambda points_mm: field(self._in_unit(points_mm, pose)))
        return None if more is None else replace(self, observation=more)

    @property
    def _limit(self) -> np.ndarray:
        """Residuals beyond which points are doubted, in their SDs."""
        return _DOUBTED * self.ordinary * self.observation.patience

    def covariance(self, state: State) -> np.ndarray:
        """Give the covariance (k, k) of what is not known of code and shift: Laplace's approximation.

        A model errs beyond what was seen where it errs in it, so points tell less of how sure a fit is than
        of where it is best.
        """
        return np.linalg.inv(_SURE_SHARE / self.observation.share * state.curvature + state.precision)

    def _points(self, pose: Pose) -> np.ndarray:
        return self._in_unit(self.observation.points_mm, pose)

    def _in_unit(self, points_mm: np.ndarray, pose: Pose) -> np.ndarray:
        return self.model.frame.to_unit(points_mm - [0.0, 0.0, pose.shift_mm])

    def _residual(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error = values - self.observation.target
        # Where only the side is known, any distance on that side will do.
        settled = self.observation.side * error > 0
        return np.where(settled, 0.0, error) / self.observation.error_sd, settled

    def _offset(self, pose: Pose) -> np.ndarray:
        offset = pose.code - self.space.mean
        return np.append(offset, pose.shift_mm) if self.level_free else offset

    def _total(self, residual: np.ndarray, offset: np.ndarray) -> float:
        limit = self._limit
        loss = residual**2 if np.isinf(self.ordinary) else limit**2 * np.log1p((residual / limit) ** 2)
        return float(self.observation.share * loss.sum() + offset @ self._precision @ offset)


def descend(
    problem: Problem,
    start: Pose,
    rounds: int,
    *,
    should_stop: ShouldStop,
    told: Callable[[int], None] | None = None,
) -> tuple[State, int]:
    """Go downhill from a pose by Levenberg-Marquardt steps.

    Parameters
    ----------
    rounds : int
        Steps to take at most.
    told : callable, optional
        Told the number of each step.

    Returns
    -------
    State
        Where it ended.
    int
        Steps taken.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    state, damping, taken = problem.at(start), _STARTS_DAMPING, 0
    while taken < rounds and damping <= _MOST_DAMPING:
        check(should_stop)
        if told is not None:
            told(taken + 1)
        trial = problem.at(state.stepped(damping))
        taken += 1
        gain = state.cost - trial.cost
        if gain <= 0:
            damping *= 8
            continue
        state, damping = trial, damping / 5
        if gain < _LEAST_GAIN * state.cost:
            break
    return state, taken
