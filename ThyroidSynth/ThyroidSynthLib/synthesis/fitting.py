"""Finding the latent code of a given thyroid.

The code minimises the error of the signed distance on and around the given surface, weighed against
the code's distance to those of training (the posterior mode). Because the network's dependence on the
code is known exactly at every point (`Field.derivatives`), this is a small nonlinear least-squares
problem, solved in a dozen Levenberg-Marquardt steps rather than hundreds of gradient steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy.features import measure_features
from ..anatomy.sampling import sample_surface, signed_distance
from ..anatomy.surface import Surface
from ..learning.model import ShapeModel
from ..progress import ProgressCallback, StopRequested, check, never, silent
from .code_space import CodeSpace
from .decoding import DEFAULT_RESOLUTION
from .field import Field
from .prior import prior_of
from .thyroid import Thyroid, thyroid_of_code

_SURFACE_POINTS = 3000
_NEARBY_POINTS = 1500
_NEARBY_SD = 0.05
# Error of the signed distance that a good fit has, in the `unit` frame, and the number of points that
# tell something of their own: neighbouring points err together.
_ERROR_SD = 0.01
_INDEPENDENT_POINTS = 600
_STARTS_DAMPING = 1e-2


@dataclass(frozen=True)
class Fit:
    """The latent code of a given thyroid.

    Attributes
    ----------
    thyroid : Thyroid
        What the model makes of it; `asked` holds the given surface's features.
    rms_mm : float
        Root mean square distance error on the given surface, in mm along the mean axis.
    distance : float
        Distance of the code to the training codes' mean, in SDs per dimension; about 1 is ordinary.
    inside_share : float
        Share of the given surface inside the box of the training surfaces. Well below 1 the gland
        lies where the model has never seen one, and the fit means little.
    rounds : int
        Steps taken.
    """

    thyroid: Thyroid
    rms_mm: float
    distance: float
    inside_share: float
    rounds: int


def fit_surface(
    model: ShapeModel,
    surface: Surface,
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    max_rounds: int = 30,
    progress: ProgressCallback = silent,
    stop_requested: StopRequested = never,
) -> Fit:
    """Fit a model to a thyroid.

    Parameters
    ----------
    surface : Surface
        Closed surface in `trachea_mm`.
    seed : int
        Seed of the points at which the surface is compared.

    Raises
    ------
    SynthesisError
        The fitted code has no surface.
    Cancelled
        `stop_requested` said so.
    """
    features = measure_features(surface)
    unit = surface.moved(model.frame.to_unit(surface.vertices))
    points, target = _comparison_points(unit, np.random.default_rng(seed))
    space = CodeSpace.of(model)
    fixed = model.conditioning.encode(features.as_array())[0]
    code = np.concatenate([fixed, prior_of(model).mean(fixed)])

    damping = _STARTS_DAMPING
    state = _State.at(model, space, code, points, target)
    rounds = 0
    while rounds < max_rounds:
        check(stop_requested)
        progress(rounds / max_rounds, f"Fitting, round {rounds + 1}")
        trial = _State.at(model, space, state.code + state.step(damping), points, target)
        rounds += 1
        gain = state.cost - trial.cost
        if gain > 0:
            state, damping = trial, damping / 5
            if gain < 1e-3 * state.cost:
                break
        else:
            damping *= 8
            if damping > 1e6:
                break
    thyroid = thyroid_of_code(model, state.code, resolution=resolution, asked=features.as_dict(), seed=seed)
    error = state.residual[:_SURFACE_POINTS] * _ERROR_SD / np.sqrt(_INDEPENDENT_POINTS / len(points))
    lower, upper = model.frame.lower_mm, model.frame.upper_mm
    inside = ((surface.vertices >= lower) & (surface.vertices <= upper)).all(axis=1)
    return Fit(
        thyroid=thyroid,
        rms_mm=float(np.sqrt(np.mean(error**2)) * model.frame.scale_mm.mean()),
        distance=space.distance(state.code),
        inside_share=float(inside.mean()),
        rounds=rounds,
    )


def _comparison_points(unit: Surface, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw points (n, 3) on and near a surface of the `unit` frame, with their signed distances (n,)."""
    on_surface = sample_surface(unit, _SURFACE_POINTS, rng)
    nearby = on_surface[rng.integers(len(on_surface), size=_NEARBY_POINTS)]
    nearby = nearby + rng.normal(scale=_NEARBY_SD, size=nearby.shape)
    distance = np.concatenate([np.zeros(len(on_surface)), signed_distance(unit, nearby)])
    return np.concatenate([on_surface, nearby]), distance


@dataclass(frozen=True)
class _State:
    """A code with its weighted residuals, their derivatives, and the cost."""

    code: np.ndarray
    residual: np.ndarray
    jacobian: np.ndarray
    offset: np.ndarray
    precision: np.ndarray

    @classmethod
    def at(
        cls, model: ShapeModel, space: CodeSpace, code: np.ndarray, points: np.ndarray, target: np.ndarray
    ) -> _State:
        values, _, jacobian = Field(model, code).derivatives(points)
        weight = np.sqrt(_INDEPENDENT_POINTS / len(points)) / _ERROR_SD
        return cls(
            np.asarray(code, dtype=np.float64),
            weight * (values - target),
            weight * jacobian.astype(np.float64),
            code - space.mean,
            space.precision,
        )

    @property
    def cost(self) -> float:
        return float(self.residual @ self.residual + self.offset @ self.precision @ self.offset)

    def step(self, damping: float) -> np.ndarray:
        """Give the Levenberg-Marquardt step, damped in units of the prior."""
        curvature = self.jacobian.T @ self.jacobian + (1 + damping) * self.precision
        slope = self.jacobian.T @ self.residual + self.precision @ self.offset
        return np.linalg.solve(curvature, -slope)
