"""The features each thyroid of a cohort is asked for, so that together they have an asked distribution.

Values are strata, not draws: thyroid number k of the order of a feature gets the (k + ½)/N quantile of
the asked distribution, so that 20 thyroids are as near to it as 20 can be. Which large volume goes with
which symmetry is the training cohort's affair: the strata are dealt in the order of the ranks of training
cases (their empirical copula, each case used equally often, slightly blurred), so every dependence of the
cohort is kept, whatever the marginals are.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .marginals import standard_scores
from .target_distribution import TargetDistribution

# Width of the blur around a training case, in standard scores: cohorts larger than the training
# cohort get combinations between those of its cases.
_BLUR = 0.15
# Tells the plan's random numbers from those of the thyroids, which take the seed and their number.
_STREAM = 0x706C616E

_VOLUME, _AREA, _SYMMETRY = range(3)


def planned_features(features: np.ndarray, targets: TargetDistribution, *, count: int, seed: int) -> np.ndarray:
    """Give the features of each thyroid of a cohort.

    Parameters
    ----------
    features : ndarray, shape (n, 3)
        Of the training cohort, in the order of `FEATURE_NAMES`.
    asked : AskedDistribution
        Distributions the cohort is to have.
    count : int
        How many thyroids.
    seed : int
        The same seed and number give the same features; their order is random, so that the first ones
        alone are like the whole.

    Returns
    -------
    ndarray, shape (count, 3)
        In mL, mm² and 1.

    Raises
    ------
    InputError
        Isthmuses as in the training cohort are asked for, which has none.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, count, _STREAM]))
    features = np.asarray(features, dtype=np.float64)
    scores = _scores(features, rng)
    rows = rng.permutation(_evenly(scores, count, rng))
    blurred = scores[rows] + _BLUR * rng.standard_normal((count, 3))
    share = (np.argsort(np.argsort(blurred, axis=0), axis=0) + 0.5) / count
    planned = np.empty((count, 3))
    for column in (_VOLUME, _SYMMETRY):
        name = FEATURE_NAMES[column]
        planned[:, column] = targets.marginal(name).quantiles(share[:, column], name, features[:, column])
    planned[:, _AREA] = _areas(share[:, _AREA], targets, features[:, _AREA])
    return planned


def _areas(share: np.ndarray, targets: TargetDistribution, cohort: np.ndarray) -> np.ndarray:
    count = len(share)
    with_isthmus = cohort[cohort > 0]
    zeros = (cohort == 0).mean() if targets.without_isthmus is None else targets.without_isthmus
    absent = share * count < round(zeros * count)
    areas = np.zeros(count)
    marginal = targets.isthmus_area_mm2
    if not absent.all():
        if marginal.kind == "cohort" and len(with_isthmus) == 0:
            raise InputError(
                "No gland of the training cohort has an isthmus, so that its areas are unknown. Ask for a distribution "
                "of isthmus areas, or for 100% without isthmus."
            )
        within = (share[~absent] * count - absent.sum()) / (count - absent.sum())
        areas[~absent] = marginal.quantiles(within, "isthmus_area_mm2", with_isthmus)
    return areas


def _scores(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Standard normal scores (n, 3) of the features' ranks.

    Glands without an isthmus have equal areas but not equal prospects of one: their order among
    themselves is drawn from a normal distribution of the score given the other features, below the
    score at which isthmuses begin.
    """
    count = len(features)
    ranks = np.argsort(np.argsort(features, axis=0, kind="stable"), axis=0)
    scores = standard_scores(((ranks + 0.5) / count).ravel()).reshape(count, 3)
    absent = features[:, _AREA] == 0
    if not 1 < absent.sum() < count:
        scores[absent, _AREA] = rng.permutation(scores[absent, _AREA])
        return scores
    start = np.where(absent, scores[absent, _AREA].mean(), scores[:, _AREA])
    others = np.column_stack([scores[:, [_VOLUME, _SYMMETRY]], np.ones(count)])
    slope = np.linalg.lstsq(others, start, rcond=None)[0]
    expected, spread = others @ slope, max(float((start - others @ slope).std()), 1e-6)
    standard = NormalDist()
    ceiling = standard.inv_cdf(absent.mean())
    below = np.array([standard.cdf((ceiling - value) / spread) for value in expected[absent]])
    uniform = np.clip(rng.random(len(below)) * below, 1e-12, 1 - 1e-12)
    latent = expected[absent] + spread * standard_scores(uniform)
    # The zeros share the lowest scores out among themselves in that order.
    scores[absent, _AREA] = np.sort(scores[absent, _AREA])[np.argsort(np.argsort(latent))]
    return scores


def _evenly(scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows (count,) of training cases, each as often as any other as far as that goes, from small to large."""
    order = np.argsort(scores[:, _VOLUME], kind="stable")
    places = np.floor((np.arange(count) + rng.random()) * len(scores) / count).astype(int)
    return order[np.minimum(places, len(scores) - 1)]
