"""How sure a fit is: plausible completions of a gland, and how far off its surface may be.

Around the fitted code the posterior is taken to be normal (Laplace's approximation). Draws from it are
whole glands that explain what was seen about as well as the fit does: they differ where little was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from ThyroidSynthLib.model.shape_model import ShapeModel

from .code_solver import Pose, moved
from .fitting import Fit

COMPLETIONS = 24
"""Enough of them to tell an interval by."""

LEVEL = 0.9
"""Share of the completions that an interval holds."""

# Coarse enough to be quick; its error is that of the fit on the same grid, which is taken off.
_RESOLUTION = 40
_DRAWS_PER_COMPLETION = 2
# Fewer say nothing of an interval.
_FEWEST = 6
# Where the field is flatter than this share of a distance, a vertex would move without bound.
_LEAST_STEEPNESS = 0.2


@dataclass(frozen=True)
class Completions:
    """Plausible whole glands for what was seen of one.

    Attributes
    ----------
    surfaces : tuple of Surface
        In the frame of the fit's `thyroid`.
    features : ndarray, shape (n, 3)
        Of each, in the order of `FEATURE_NAMES`.
    """

    surfaces: tuple[Surface, ...]
    features: np.ndarray

    def intervals(self, level: float = LEVEL) -> dict[str, tuple[float, float]]:
        """Give the range of each feature that holds a share `level` of the completions; none where they are few."""
        if len(self.surfaces) < _FEWEST:
            return {}
        tail = 50 * (1 - level)
        # The form for samples: a few draws seldom hold the ends of what they are drawn from.
        low, high = np.percentile(self.features, [tail, 100 - tail], axis=0, method="weibull")
        return {name: (float(a), float(b)) for name, a, b in zip(FEATURE_NAMES, low, high, strict=True)}


def share_inside(surfaces: Sequence[Surface], grid: Grid) -> Volume:
    """Give the share of some surfaces that each voxel's centre lies in, as float32, in the frame of both."""
    inside = np.zeros(grid.shape, dtype=np.float32)
    for surface in surfaces:
        inside += voxelise(surface, grid).array
    return Volume(inside / len(surfaces), grid.ijk_to_ras)


def plausible_completions(
    model: ShapeModel,
    fit: Fit,
    *,
    count: int = COMPLETIONS,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Completions:
    """Draw whole glands that explain what was seen of one about as well as its fit does.

    Parameters
    ----------
    count : int
        How many. Draws without a valid surface are replaced, but not for ever: there may be fewer, or none, with
        a poor model or a gland of which hardly anything was seen.
    seed : int
        Seed of the draws.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    rng = np.random.default_rng([seed, count])
    factor = np.linalg.cholesky(fit.covariance)
    found = []
    coarse = thyroid_of_code(model, fit.thyroid.code, resolution=_RESOLUTION).measured.as_array()
    exact = fit.thyroid.measured.as_array()
    for _ in range(_DRAWS_PER_COMPLETION * count):
        check(should_stop)
        progress(len(found) / count, f"Completion {len(found) + 1} of {count}")
        pose = moved(Pose(fit.thyroid.code.astype(np.float64)), factor @ rng.standard_normal(len(factor)))
        try:
            thyroid = thyroid_of_code(model, pose.code, resolution=_RESOLUTION)
        except SynthesisError:
            continue
        if thyroid.validity.ok:
            surface = thyroid.surface.moved(thyroid.surface.vertices + np.array([0.0, 0.0, pose.shift_mm]))
            found.append((surface, np.maximum(thyroid.measured.as_array() + exact - coarse, 0.0)))
        if len(found) == count:
            break
    return Completions(tuple(surface for surface, _ in found), np.array([each for _, each in found]).reshape(-1, 3))


def surface_sd_mm(model: ShapeModel, fit: Fit) -> np.ndarray:
    """Say how far off each vertex of a fit's surface may be, along its normal.

    Returns
    -------
    ndarray, shape (V,)
        One SD, in mm.
    """
    frame = model.frame
    _, space, code = Field(model, fit.thyroid.code).derivatives(frame.to_unit(fit.thyroid.surface.vertices))
    space_mm = space / frame.scale_mm
    jacobian = code.astype(np.float64)
    if len(fit.covariance) > jacobian.shape[1]:
        jacobian = np.hstack([jacobian, -space_mm[:, 2:]])
    variance = np.einsum("ij,ij->i", jacobian @ fit.covariance, jacobian)
    steepness = np.maximum(np.linalg.norm(space_mm, axis=1), _LEAST_STEEPNESS / frame.scale_mm.mean())
    return np.sqrt(variance) / steepness
