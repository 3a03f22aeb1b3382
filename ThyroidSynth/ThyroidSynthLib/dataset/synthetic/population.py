"""The population of the example cases: volumes, extents and isthmus areas.

Calibrated to 46 complete thyroids of a subset of TotalSegmentator (1.5 mm masks; voxel counts and bounding boxes) by
their moments only: volume 15.1 +- 9.0 mL, left-right 52.0 +- 8.1 mm, anterior-posterior 31.0 +- 6.8 mm,
superior-inferior 48.3 +- 9.5 mm. The four are drawn from a joint log-normal distribution with the correlations of
the logarithms of these thyroids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

# Columns: volume (mL), then extents (mm) along x (left-right), y (anterior-posterior), z (superior-inferior).
POPULATION_MEAN = np.array([15.1, 52.0, 31.0, 48.3])
POPULATION_SD = np.array([9.0, 8.1, 6.8, 9.5])
LOG_CORRELATION = np.array(
    [
        [1.00, 0.74, 0.49, 0.30],
        [0.74, 1.00, 0.43, 0.27],
        [0.49, 0.43, 1.00, 0.03],
        [0.30, 0.27, 0.03, 1.00],
    ]
)
# The range of the 46 thyroids, slightly narrowed.
LOWEST = np.array([4.0, 35.0, 20.0, 30.0])
HIGHEST = np.array([60.0, 78.0, 54.0, 72.0])
BOX_FRACTION_RANGE = (0.12, 0.33)
"""Share of its bounding box that a thyroid fills; 0.09 to 0.32 in the 46 thyroids (0.03 in one of 0.7 mL)."""

SHARE_WITHOUT_ISTHMUS = 0.30
SHARE_HEMI_AGENESIS = 0.01
HEMI_AGENESIS_WIDTH, HEMI_AGENESIS_VOLUME = 0.52, 0.6  # relative to two lobes
ISTHMUS_AREA_MEDIAN_MM2 = 62.0
ISTHMUS_AREA_LOG_SD = 0.45
ISTHMUS_AREA_RANGE_MM2 = (22.0, 150.0)


@dataclass(frozen=True)
class GlandTarget:
    """The measures to which an example thyroid is fitted.

    Attributes
    ----------
    extents_mm : tuple of float
        Extents along the RAS axes: left-right, anterior-posterior, superior-inferior.
    isthmus_area_mm2 : float
        Area in the midsagittal plane; 0 for two separate lobes.
    hemi_agenesis : bool
        Whether there is only one lobe (then `isthmus_area_mm2` is 0).
    """

    volume_ml: float
    extents_mm: tuple[float, float, float]
    isthmus_area_mm2: float
    hemi_agenesis: bool = False


def _sizes_from_normals(normals: np.ndarray) -> np.ndarray:
    variance = np.log1p((POPULATION_SD / POPULATION_MEAN) ** 2)
    mean = np.log(POPULATION_MEAN) - variance / 2.0
    return np.exp(mean + np.sqrt(variance) * (normals @ np.linalg.cholesky(LOG_CORRELATION).T))


def is_plausible(sizes: np.ndarray) -> np.ndarray:
    """Return which rows (n, 4) of volume and extents are in the modelled range, shape (n,)."""
    fraction = sizes[:, 0] * 1000.0 / sizes[:, 1:].prod(axis=1)
    inside = np.all((sizes >= LOWEST) & (sizes <= HIGHEST), axis=1)
    return inside & (fraction >= BOX_FRACTION_RANGE[0]) & (fraction <= BOX_FRACTION_RANGE[1])


def draw_sizes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw volumes and extents, shape (count, 4).

    The draw is stratified (Latin hypercube), so that even a few dozen thyroids have the spread of the population.
    Implausible rows are replaced by plausible ones of similar volume, which keeps the distribution of volumes.
    """
    uniform = qmc.LatinHypercube(d=4, rng=rng).random(count)
    sizes = _sizes_from_normals(ndtri(np.clip(uniform, 1e-6, 1.0 - 1e-6)))
    for index in np.flatnonzero(~is_plausible(sizes)):
        sizes[index] = _plausible_like(float(sizes[index, 0]), rng)
    return sizes


def _plausible_like(volume_ml: float, rng: np.random.Generator) -> np.ndarray:
    candidates = _sizes_from_normals(rng.standard_normal((400, 4)))
    candidates = candidates[is_plausible(candidates)]
    return candidates[np.argmin(np.abs(np.log(candidates[:, 0] / volume_ml)))]


def draw_targets(count: int, rng: np.random.Generator) -> list[GlandTarget]:
    """Draw the targets of `count` thyroids.

    The share without isthmus, which includes hemi-agenesis, is exact up to rounding.
    """
    sizes = draw_sizes(count, rng)
    order = rng.permutation(count)
    without = set(order[: round(SHARE_WITHOUT_ISTHMUS * count)].tolist())
    # The narrowest thyroids without isthmus lose a lobe, as their width changes least.
    narrowest = sorted(without, key=lambda index: sizes[index, 1])
    one_lobed = set(narrowest[: round(SHARE_HEMI_AGENESIS * count)])
    return [
        _target(row, without_isthmus=index in without, hemi_agenesis=index in one_lobed, rng=rng)
        for index, row in enumerate(sizes)
    ]


def redraw_target(target: GlandTarget, rng: np.random.Generator) -> GlandTarget:
    """Draw another target of the same kind and similar volume, in place of one that no shape matches."""
    return _target(
        _plausible_like(target.volume_ml / (HEMI_AGENESIS_VOLUME if target.hemi_agenesis else 1.0), rng),
        without_isthmus=target.isthmus_area_mm2 == 0.0,
        hemi_agenesis=target.hemi_agenesis,
        rng=rng,
    )


def _target(row: np.ndarray, *, without_isthmus: bool, hemi_agenesis: bool, rng: np.random.Generator) -> GlandTarget:
    volume, lr, ap, si = (float(value) for value in row)
    if hemi_agenesis:
        lr, volume = HEMI_AGENESIS_WIDTH * lr, HEMI_AGENESIS_VOLUME * volume
    # Larger thyroids tend to have a larger isthmus.
    area = ISTHMUS_AREA_MEDIAN_MM2 * (volume / 13.0) ** 0.5 * np.exp(ISTHMUS_AREA_LOG_SD * rng.standard_normal())
    area = 0.0 if without_isthmus else float(np.clip(area, *ISTHMUS_AREA_RANGE_MM2))
    return GlandTarget(volume, (lr, ap, si), area, hemi_agenesis)
