"""Quantify the uncertainty of a fit: plausible completions of a gland, and the SD of its surface.

The posterior around the fitted code is approximated by a normal distribution (Laplace). Draws from it are whole glands
that explain the observation about as well as the fit does; they differ mostly where little was observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.thyroid import thyroid_of_code
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.trained_model import TrainedModel

from .code_solver import Pose
from .fitting import Fit

DEFAULT_COMPLETIONS = 24
"""Default number of completions, enough for an interval."""

INTERVAL_LEVEL = 0.9
"""Share of the completions that an interval holds."""

# Coarse, for speed. The error of this grid is estimated from the fit and subtracted.
_RESOLUTION = 40
_DRAWS_PER_COMPLETION = 2
# Smallest number of completions that gives an interval.
_MIN_FOR_INTERVAL = 6
# Lower limit of the field's gradient norm, as a share of that of a true distance: a smaller one would let the SD of a
# vertex diverge.
_MIN_STEEPNESS = 0.2


@dataclass(frozen=True)
class Completions:
    """Plausible whole glands for the observed part of one.

    The surfaces are in the frame of the fit's `thyroid`; their features (n, 3) are in the order of `FEATURE_NAMES`.
    """

    surfaces: tuple[Surface, ...]
    features: np.ndarray

    def intervals(self, level: float = INTERVAL_LEVEL) -> dict[str, tuple[float, float]]:
        """Return the interval of each feature that holds a share `level` of the completions; empty for few."""
        if len(self.surfaces) < _MIN_FOR_INTERVAL:
            return {}
        tail = 50 * (1 - level)
        # "weibull" is the estimator for samples: a few draws seldom contain the extremes of their distribution.
        low, high = np.percentile(self.features, [tail, 100 - tail], axis=0, method="weibull")
        return {name: (float(a), float(b)) for name, a, b in zip(FEATURE_NAMES, low, high, strict=True)}


def share_inside(surfaces: Sequence[Surface], grid: Grid) -> Volume:
    """Return, for each voxel of a grid in the frame of the surfaces, the share of them that contain its centre."""
    inside = np.zeros(grid.shape, dtype=np.float32)
    for surface in surfaces:
        inside += voxelise(surface, grid).array
    return Volume(inside / len(surfaces), grid.ijk_to_ras)


def plausible_completions(
    model: TrainedModel,
    fit: Fit,
    *,
    count: int = DEFAULT_COMPLETIONS,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Completions:
    """Draw `count` whole glands that explain an observation about as well as its fit does.

    Components that the observed gland does not have are removed from them. Draws without a valid surface are
    replaced, up to twice this number of draws; a poor model, or a gland of which little was observed, may give fewer
    or none.
    """
    rng = np.random.default_rng([seed, count])
    factor = np.linalg.cholesky(fit.covariance)
    surfaces: list[Surface] = []
    features: list[np.ndarray] = []
    decoded = thyroid_of_code(model, fit.thyroid.code, resolution=_RESOLUTION)
    coarse = fit.gland.without_extra(decoded, fit.shift_mm)[0].measured.as_array()
    exact = fit.thyroid.measured.as_array()
    for _ in range(_DRAWS_PER_COMPLETION * count):
        if len(surfaces) == count:
            break
        check(should_stop)
        progress(len(surfaces) / count, f"Completion {len(surfaces) + 1} of {count}")
        code, offset = np.split(fit.thyroid.code.astype(np.float64), [model.code_size])
        pose = Pose(code).moved(factor @ rng.standard_normal(len(factor)))
        try:
            decoded = thyroid_of_code(model, np.append(pose.code, offset), resolution=_RESOLUTION)
        except SynthesisError:
            continue
        thyroid, _ = fit.gland.without_extra(decoded, pose.shift_mm)
        if thyroid.validity.ok:
            surfaces.append(thyroid.surface.moved(thyroid.surface.vertices + np.array([0.0, 0.0, pose.shift_mm])))
            features.append(np.maximum(thyroid.measured.as_array() + exact - coarse, 0.0))
    return Completions(tuple(surfaces), np.array(features).reshape(-1, 3))


def surface_sd_mm(model: TrainedModel, fit: Fit) -> np.ndarray:
    """Return the SD in mm of each vertex (V,) of a fit's surface along its normal, shape (V,)."""
    frame = model.frame
    code, offset = np.split(fit.thyroid.code, [model.code_size])
    moved = replace(model, network=model.network.with_offset(offset)) if len(offset) else model
    _, space, by_code = Field(moved, code).derivatives(frame.to_unit(fit.thyroid.surface.vertices))
    space_mm = space / frame.scale_mm
    jacobian = by_code.astype(np.float64)
    if len(fit.covariance) > jacobian.shape[1]:
        jacobian = np.hstack([jacobian, -space_mm[:, 2:]])
    variance = np.einsum("ij,ij->i", jacobian @ fit.covariance, jacobian)
    steepness = np.maximum(np.linalg.norm(space_mm, axis=1), _MIN_STEEPNESS / frame.scale_mm.mean())
    return np.sqrt(variance) / steepness
