"""The population of the example cases: volumes, extents and isthmus areas.

Calibrated to 46 complete thyroids of a subset of TotalSegmentator (1.5 mm masks; voxel counts and bounding boxes) by
the percentiles of their volumes and extents and by the correlations of the logarithms only. No shape of these thyroids
is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

# Shares of the 46 thyroids at or below the values of a row, the first and the last for the smallest and the largest.
_SHARES = (0.5 / 46.0, 0.03, 0.10, 0.25, 0.50, 0.75, 0.90, 0.97, 1.0 - 0.5 / 46.0)
# Rows: volume (mL), then extents (mm) along x (left-right), y (anterior-posterior), z (superior-inferior).
POPULATION_PERCENTILES = np.array(
    [
        [0.7, 5.1, 7.8, 11.6, 13.2, 16.2, 25.3, 32.5, 62.6],
        [34.5, 37.1, 42.3, 46.5, 51.8, 57.0, 61.4, 72.5, 76.5],
        [19.5, 20.8, 25.5, 27.0, 29.2, 34.5, 40.4, 48.7, 54.0],
        [30.0, 31.3, 34.6, 40.5, 49.5, 54.0, 61.4, 66.5, 70.5],
    ]
)
# Correlations of the underlying normals. After the choice of plausible sizes, the logarithms of volumes above 2 mL and
# of the extents correlate as in the 46 thyroids: volume with the extents .73, .45 and .19; extents .36, .20 and -.04.
CORRELATION = np.array(
    [
        [1.00, 0.70, 0.37, 0.05],
        [0.70, 1.00, 0.34, 0.15],
        [0.37, 0.34, 1.00, -0.09],
        [0.05, 0.15, -0.09, 1.00],
    ]
)
BOX_FRACTION_RANGE = (0.07, 0.32)
"""Share of its bounding box that a thyroid fills; 0.04 to 0.32 in 45 of the 46 thyroids, 0.07 or more in 44."""

SHARE_WITHOUT_ISTHMUS = 0.30
_UNCORRELATED_FROM = 20  # fewer draws may be correlated so strongly that removing it distorts them
SMALLEST_WITH_ISTHMUS_ML = 3.0
SHARE_HEMI_AGENESIS = 0.025
HEMI_AGENESIS_WIDTH, HEMI_AGENESIS_VOLUME = 0.52, 0.6  # relative to two lobes
ISTHMUS_AREA_MEDIAN_MM2 = 62.0
ISTHMUS_AREA_LOG_SD = 0.45
ISTHMUS_AREA_RANGE_MM2 = (22.0, 150.0)
ISTHMUS_AREA_OVER_HEIGHT2 = 0.055  # largest area relative to the squared height of the thyroid; 0.05 in a real one


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
    """Return volumes and extents (n, 4) for correlated standard normals (n, 4): percentiles, linear between them."""
    rows = zip(normals.T, np.log(POPULATION_PERCENTILES), strict=True)
    return np.exp(np.column_stack([np.interp(column, ndtri(_SHARES), row) for column, row in rows]))


def is_plausible(sizes: np.ndarray) -> np.ndarray:
    """Return which rows (n, 4) of volume and extents fill a plausible share of the bounding box, shape (n,)."""
    fraction = _box_fraction(sizes)
    return (fraction >= BOX_FRACTION_RANGE[0]) & (fraction <= BOX_FRACTION_RANGE[1])


def _box_fraction(sizes: np.ndarray) -> np.ndarray:
    return sizes[:, 0] * 1000.0 / sizes[:, 1:].prod(axis=1)


def draw_sizes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw volumes and extents, shape (count, 4).

    The draw is stratified (Latin hypercube) and its correlations are exact, so that even a few dozen thyroids have the
    spread and the correlations of the population. Implausible extents are drawn again, which keeps the distribution of
    volumes.
    """
    uniform = qmc.LatinHypercube(d=4, rng=rng).random(count)
    independent = ndtri(np.clip(uniform, 1e-6, 1.0 - 1e-6))
    if count >= _UNCORRELATED_FROM:
        independent = np.linalg.solve(np.linalg.cholesky(np.corrcoef(independent.T)), independent.T).T
    sizes = _sizes_from_normals(_correlated(independent))
    for index in np.flatnonzero(~is_plausible(sizes)):
        sizes[index] = _plausible_like(float(sizes[index, 0]), rng)
    return sizes


def _correlated(independent: np.ndarray) -> np.ndarray:
    return independent @ np.linalg.cholesky(CORRELATION).T


def _plausible_like(volume_ml: float, rng: np.random.Generator) -> np.ndarray:
    """Draw extents for a volume; return both, shape (4,)."""
    independent = rng.standard_normal((100, 4))
    independent[:, 0] = np.interp(np.log(volume_ml), np.log(POPULATION_PERCENTILES[0]), ndtri(_SHARES))
    sizes = _sizes_from_normals(_correlated(independent))
    sizes[:, 0] = volume_ml
    plausible = np.flatnonzero(is_plausible(sizes))
    if len(plausible):
        return sizes[plausible[0]]
    # A volume at an end of the range: the extents nearest to plausible ones, scaled.
    fraction = _box_fraction(sizes)
    excess = fraction / np.clip(fraction, *BOX_FRACTION_RANGE)
    best = np.argmin(np.abs(np.log(excess)))
    return np.append(volume_ml, sizes[best, 1:] * excess[best] ** (1.0 / 3.0))


def draw_targets(count: int, rng: np.random.Generator) -> list[GlandTarget]:
    """Draw the targets of `count` thyroids.

    The share without isthmus, which includes hemi-agenesis, is exact up to rounding.
    """
    sizes = draw_sizes(count, rng)
    # The smallest thyroids are too thin for an isthmus of even one voxel.
    order = sorted(rng.permutation(count), key=lambda index: sizes[index, 0] > SMALLEST_WITH_ISTHMUS_ML)
    without = set(order[: round(SHARE_WITHOUT_ISTHMUS * count)])
    # Thyroids of ordinary size lose a lobe: half of a very small one would be below the smallest that is accepted.
    ordinary = sorted(without, key=lambda index: abs(np.log(sizes[index, 0] / POPULATION_PERCENTILES[0, 4])))
    one_lobed = set(rng.permutation(ordinary[: len(ordinary) // 2 + 1])[: round(SHARE_HEMI_AGENESIS * count)].tolist())
    return [
        _target(row, without_isthmus=index in without, hemi_agenesis=index in one_lobed, rng=rng)
        for index, row in enumerate(sizes)
    ]


def redraw_target(target: GlandTarget, rng: np.random.Generator) -> GlandTarget:
    """Draw another target of the same kind and similar volume, in place of one that no shape matches.

    The volume moves a little towards the median, so that repeated draws end.
    """
    whole = target.volume_ml / (HEMI_AGENESIS_VOLUME if target.hemi_agenesis else 1.0)
    return _target(
        _plausible_like(whole * (POPULATION_PERCENTILES[0, 4] / whole) ** 0.05, rng),
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
    smallest, largest = ISTHMUS_AREA_RANGE_MM2
    area = 0.0 if without_isthmus else float(np.clip(area, smallest, min(largest, ISTHMUS_AREA_OVER_HEIGHT2 * si * si)))
    return GlandTarget(volume, (lr, ap, si), area, hemi_agenesis)
