"""Agreement of asked and measured features, and of two populations. Intervals are 95% bootstrap intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Interval = tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """How well a feature was met. A correlation alone would hide bias and slope.

    Attributes
    ----------
    count : int
        Number of thyroids.
    pcc, slope : float or None
        Pearson correlation, and slope of measured on asked; None where either does not vary.
    bias, mae : float
        Mean error and mean absolute error, in the feature's unit.
    mae_sd : float or None
        Mean absolute error in standard deviations of the cohort.
    pcc_interval, slope_interval, bias_interval, mae_interval, mae_sd_interval : tuple of float, or None
        95% bootstrap intervals.
    """

    count: int
    pcc: float | None
    pcc_interval: Interval | None
    slope: float | None
    slope_interval: Interval | None
    bias: float
    bias_interval: Interval
    mae: float
    mae_interval: Interval
    mae_sd: float | None
    mae_sd_interval: Interval | None

    def as_dict(self) -> dict[str, Any]:
        """Give the values by name."""
        return asdict(self)


def agreement(
    targets: np.ndarray, measured: np.ndarray, *, cohort_sd: float, seed: int = 0, resamples: int = 2000
) -> Agreement:
    """Compare asked with measured values (n,) of one feature.

    Parameters
    ----------
    asked, measured : ndarray, shape (n,)
        In the feature's unit.
    cohort_sd : float
        Standard deviation of the feature in the training cohort.
    seed : int
        Seed of the bootstrap.
    resamples : int
        Number of bootstrap resamples.
    """
    targets, measured = np.asarray(targets, dtype=float), np.asarray(measured, dtype=float)
    index = np.random.default_rng(seed).integers(len(targets), size=(resamples, len(targets)))
    again_targets, again_measured = targets[index], measured[index]
    error, again_error = measured - targets, again_measured - again_targets
    pcc, slope = _line(targets[None], measured[None])
    again_pcc, again_slope = _line(again_targets, again_measured)
    mae, mae_interval = float(np.abs(error).mean()), _interval(np.abs(again_error).mean(axis=1))
    return Agreement(
        count=len(targets),
        pcc=_number(pcc[0]),
        pcc_interval=_interval(again_pcc),
        slope=_number(slope[0]),
        slope_interval=_interval(again_slope),
        bias=float(error.mean()),
        bias_interval=_interval(again_error.mean(axis=1)),
        mae=mae,
        mae_interval=mae_interval,
        mae_sd=mae / cohort_sd if cohort_sd > 0 else None,
        mae_sd_interval=(mae_interval[0] / cohort_sd, mae_interval[1] / cohort_sd) if cohort_sd > 0 else None,
    )


@dataclass(frozen=True)
class DistributionComparison:
    """How a feature's distribution in a generated population differs from the cohort's.

    Attributes
    ----------
    ks, ks_p : float
        Two-sample Kolmogorov-Smirnov statistic and its p value.
    wasserstein : float
        First Wasserstein distance in the feature's unit; `wasserstein_sd` in SDs of the cohort.
    cohort_mean, cohort_sd, generated_mean, generated_sd : float
        In the feature's unit.
    cohort_zero_share, generated_zero_share : float
        Share at exactly 0, which for the isthmus area means two separate lobes.
    """

    ks: float
    ks_p: float
    wasserstein: float
    wasserstein_sd: float | None
    cohort_mean: float
    cohort_sd: float
    generated_mean: float
    generated_sd: float
    cohort_zero_share: float
    generated_zero_share: float

    def as_dict(self) -> dict[str, float | None]:
        """Give the values by name."""
        return asdict(self)


def compare_distributions(cohort: np.ndarray, generated: np.ndarray) -> DistributionComparison:
    """Compare the values of one feature in the cohort (n,) and in a generated population (m,)."""
    from scipy.stats import ks_2samp, wasserstein_distance

    cohort, generated = np.asarray(cohort, dtype=float), np.asarray(generated, dtype=float)
    test = ks_2samp(cohort, generated)
    distance, sd = float(wasserstein_distance(cohort, generated)), float(cohort.std())
    return DistributionComparison(
        ks=float(test.statistic),
        ks_p=float(test.pvalue),
        wasserstein=distance,
        wasserstein_sd=distance / sd if sd > 0 else None,
        cohort_mean=float(cohort.mean()),
        cohort_sd=sd,
        generated_mean=float(generated.mean()),
        generated_sd=float(generated.std()),
        cohort_zero_share=float((cohort == 0).mean()),
        generated_zero_share=float((generated == 0).mean()),
    )


def rate_interval(hits: int, total: int) -> Interval:
    """95% Wilson interval of a share, sensible also at 0 and 1."""
    z = 1.959964
    share = hits / total
    center = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def _line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson correlation and slope of y on x along the last axis; NaN where one does not vary."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    xx, yy, xy = (x * x).sum(axis=1), (y * y).sum(axis=1), (x * y).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        varies = (xx > 0) & (yy > 0)
        return np.where(varies, xy / np.sqrt(xx * yy), np.nan), np.where(xx > 0, xy / xx, np.nan)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(values: np.ndarray) -> Interval | None:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
