"""Agreement of readers, and how well their ratings separate two kinds of shapes. Intervals are 95% intervals.

Own code: SciPy has neither measure, and scikit-learn, pingouin and R are not part of Slicer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .statistics import Interval


@dataclass(frozen=True)
class Estimate:
    """A measure and its 95% interval, each None where the ratings do not define it."""

    value: float | None
    interval: Interval | None


def intraclass_correlation(ratings: np.ndarray) -> Estimate:
    """Compute the intraclass correlation ICC(2,1): two-way random effects, absolute agreement, one reader.

    The estimate is that of Shrout and Fleiss (Psychological Bulletin 1979; 86: 420), the interval that of McGraw and
    Wong (Psychological Methods 1996; 1: 30).

    Parameters
    ----------
    ratings : ndarray, shape (n, k)
        A row for each shape, a column for each reader or occasion; complete.

    Returns
    -------
    Estimate
        Without a value if there are fewer than two rows or columns, or all ratings are equal.
    """
    from scipy.stats import f

    ratings = np.asarray(ratings, dtype=float)
    n, k = ratings.shape
    if n < 2 or k < 2 or np.ptp(ratings) == 0:
        return Estimate(None, None)
    mean, rows, columns = ratings.mean(), ratings.mean(axis=1), ratings.mean(axis=0)
    between_rows = k * np.sum((rows - mean) ** 2) / (n - 1)
    between_columns = n * np.sum((columns - mean) ** 2) / (k - 1)
    residual = ratings - rows[:, None] - columns + mean
    error = np.sum(residual**2) / ((n - 1) * (k - 1))
    value = (between_rows - error) / (between_rows + (k - 1) * error + k * (between_columns - error) / n)
    if error <= 1e-12 * between_rows:  # The formula of the interval divides by it.
        return Estimate(float(value), None)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    degrees = (a * between_columns + b * error) ** 2 / (
        (a * between_columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    )
    lower_f, upper_f = f.ppf(0.975, n - 1, degrees), f.ppf(0.975, degrees, n - 1)
    other = k * between_columns + (k * n - k - n) * error
    lower = n * (between_rows - lower_f * error) / (lower_f * other + n * between_rows)
    upper = n * (upper_f * between_rows - error) / (other + n * upper_f * between_rows)
    return Estimate(float(value), (float(lower), float(upper)))


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> Estimate:
    """Compute the mean area under the ROC curve of several readers of the same shapes.

    An area is the share of pairs in which the positive shape is rated higher, ties counting one half. The interval is
    that of DeLong et al. (Biometrics 1988; 44: 837), which allows for the correlation of readers who rated the same
    shapes. It holds for these readers and for other shapes of the same kinds.

    Parameters
    ----------
    positive, negative : ndarray, shape (n, k) and (m, k)
        Ratings of both kinds of shapes, a column for each reader; complete.

    Returns
    -------
    Estimate
        Without a value if there are no shapes of a kind or no readers; without an interval if there is one shape of a
        kind, or the kinds are separated perfectly, so that the ratings say nothing about the spread.
    """
    positive, negative = np.asarray(positive, dtype=float), np.asarray(negative, dtype=float)
    if not positive.size or not negative.size:
        return Estimate(None, None)
    # The mean over readers is linear in the comparisons, so that its variance is that of the mean comparison.
    difference = positive[:, None, :] - negative[None, :, :]
    higher = ((difference > 0) + 0.5 * (difference == 0)).mean(axis=2)
    value = float(higher.mean())
    if min(higher.shape) < 2:
        return Estimate(value, None)
    by_positive, by_negative = higher.mean(axis=1), higher.mean(axis=0)
    variance = by_positive.var(ddof=1) / len(by_positive) + by_negative.var(ddof=1) / len(by_negative)
    if variance == 0:
        return Estimate(value, None)
    half = 1.959964 * float(np.sqrt(variance))
    return Estimate(value, (max(value - half, 0.0), min(value + half, 1.0)))
