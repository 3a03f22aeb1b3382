"""Agreement between target and measured features, and between two distributions. Intervals are 95% intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Interval = tuple[float, float]

_RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """Agreement between the target and the measured values of one feature.

    Attributes
    ----------
    count : int
        Number of thyroids.
    pcc, slope : float or None
        Pearson correlation, and slope of the regression of measured on target values; None if one of them is
        constant.
    bias, mae : float
        Mean error and mean absolute error, in the feature's unit.
    mae_sd : float or None
        Mean absolute error in standard deviations of the cohort; None if the cohort has none.
    pcc_interval, slope_interval, bias_interval, mae_interval, mae_sd_interval : tuple of float, or None
        95% bootstrap intervals (percentile method).
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


def agreement(targets: np.ndarray, measured: np.ndarray, *, cohort_sd: float, seed: int = 0) -> Agreement:
    """Compare target and measured values of one feature.

    Parameters
    ----------
    targets, measured : ndarray, shape (n,)
        In the feature's unit.
    cohort_sd : float
        Standard deviation of the feature in the training cohort.
    seed : int
        Seed of the bootstrap.
    """
    targets, measured = np.asarray(targets, dtype=float), np.asarray(measured, dtype=float)
    # Not scipy.stats.bootstrap: its interval is NaN as soon as one resample holds a single value, which is common
    # where most targets are "no isthmus".
    index = np.random.default_rng(seed).integers(len(targets), size=(_RESAMPLES, len(targets)))
    error = measured - targets
    pcc, slope = _pcc_and_slope(targets[None], measured[None])
    pcc_resampled, slope_resampled = _pcc_and_slope(targets[index], measured[index])
    mae, mae_interval = float(np.abs(error).mean()), _interval(np.abs(error)[index].mean(axis=1))
    return Agreement(
        count=len(targets),
        pcc=float(pcc[0]) if np.isfinite(pcc[0]) else None,
        pcc_interval=_finite_interval(pcc_resampled),
        slope=float(slope[0]) if np.isfinite(slope[0]) else None,
        slope_interval=_finite_interval(slope_resampled),
        bias=float(error.mean()),
        bias_interval=_interval(error[index].mean(axis=1)),
        mae=mae,
        mae_interval=mae_interval,
        mae_sd=mae / cohort_sd if cohort_sd > 0 else None,
        mae_sd_interval=(mae_interval[0] / cohort_sd, mae_interval[1] / cohort_sd) if cohort_sd > 0 else None,
    )


def compare_distributions(cohort: np.ndarray, generated: np.ndarray) -> dict[str, float | None]:
    """Compare the distribution of one feature in the cohort and among generated thyroids.

    Parameters
    ----------
    cohort, generated : ndarray, shape (n,) and (m,)
        In the feature's unit.

    Returns
    -------
    dict
        "ks" and "ks_p": two-sample Kolmogorov–Smirnov statistic and its p value. "wasserstein": first Wasserstein
        distance in the feature's unit; "wasserstein_sd" in SDs of the cohort. "cohort_mean", "cohort_sd",
        "generated_mean" and "generated_sd" in the feature's unit. "cohort_zero_share" and "generated_zero_share":
        share of values that are 0, which for the isthmus area means two separate lobes.
    """
    from scipy.stats import ks_2samp, wasserstein_distance

    cohort, generated = np.asarray(cohort, dtype=float), np.asarray(generated, dtype=float)
    test = ks_2samp(cohort, generated)
    distance, sd = float(wasserstein_distance(cohort, generated)), float(cohort.std())
    return {
        "ks": float(test.statistic),
        "ks_p": float(test.pvalue),
        "wasserstein": distance,
        "wasserstein_sd": distance / sd if sd > 0 else None,
        "cohort_mean": float(cohort.mean()),
        "cohort_sd": sd,
        "generated_mean": float(generated.mean()),
        "generated_sd": float(generated.std()),
        "cohort_zero_share": float((cohort == 0).mean()),
        "generated_zero_share": float((generated == 0).mean()),
    }


def share_interval(count: int, total: int) -> Interval:
    """Return the 95% Wilson interval of the share count / total, which is valid near 0 and 1 too."""
    from scipy.stats import binomtest

    found = binomtest(count, total).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def summary(values: np.ndarray) -> dict[str, float | None]:
    """Return mean, SD and median of values (n,); None for each if there are none."""
    if not len(values):
        return {"mean": None, "sd": None, "median": None}
    return {"mean": float(np.mean(values)), "sd": float(np.std(values)), "median": float(np.median(values))}


def _pcc_and_slope(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Pearson correlation and slope of y on x for each row of (k, n); NaN where they are not defined."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    xx, yy, xy = (x * x).sum(axis=1), (y * y).sum(axis=1), (x * y).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        varies = (xx > 0) & (yy > 0)
        return np.where(varies, xy / np.sqrt(xx * yy), np.nan), np.where(xx > 0, xy / xx, np.nan)


def _interval(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _finite_interval(values: np.ndarray) -> Interval | None:
    finite = values[np.isfinite(values)]
    return _interval(finite) if len(finite) else None
