"""Targets of a cohort's thyroids that together have a given distribution.

The targets of a feature are stratified, not drawn: of N thyroids, the k-th smallest gets the (k + ½)/N
quantile, so that 20 thyroids are as near to the distribution as 20 can be. Which volume goes with which
symmetry follows the training cohort: ranks come from its empirical copula (each case used equally often,
slightly blurred), so its dependences are kept whatever the marginal distributions are.
"""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .target_distribution import TargetDistribution

# Width of the blur around a training case, in standard scores: cohorts larger than the training cohort get
# combinations between those of its cases.
_BLUR = 0.15
# Separates these random numbers from those of the thyroids, whose streams have the seed and their index.
_STREAM = 0x706C616E

_VOLUME, _AREA, _SYMMETRY = range(3)


def stratified_targets(features: np.ndarray, distribution: TargetDistribution, *, count: int, seed: int) -> np.ndarray:
    """Return targets (count, 3) in mL, mm² and 1, one row for each thyroid of a cohort.

    Parameters
    ----------
    features : ndarray, shape (n, 3)
        Of the training cohort, in the order of `FEATURE_NAMES`.
    seed : int
        Random seed. The order is random, so the first targets alone are distributed like all of them.

    Raises
    ------
    InputError
        Isthmus areas are to follow the training cohort, in which no gland has an isthmus.
    """
    from scipy.stats import rankdata

    rng = np.random.default_rng(np.random.SeedSequence([seed, count, _STREAM]))
    features = np.asarray(features, dtype=np.float64)
    scores = _scores(features, rng)
    rows = rng.permutation(_evenly(scores, count, rng))
    blurred = scores[rows] + _BLUR * rng.standard_normal((count, 3))
    share = (rankdata(blurred, method="ordinal", axis=0) - 0.5) / count
    targets = np.empty((count, 3))
    for column in (_VOLUME, _SYMMETRY):
        name = FEATURE_NAMES[column]
        targets[:, column] = distribution.marginal(name).quantiles(share[:, column], name, features[:, column])
    targets[:, _AREA] = _areas(share[:, _AREA], distribution, features[:, _AREA])
    return targets


def _areas(share: np.ndarray, distribution: TargetDistribution, cohort: np.ndarray) -> np.ndarray:
    count = len(share)
    with_isthmus = cohort[cohort > 0]
    zeros = (cohort == 0).mean() if distribution.without_isthmus is None else distribution.without_isthmus
    absent = share * count < round(zeros * count)
    areas = np.zeros(count)
    marginal = distribution.isthmus_area_mm2
    if not absent.all():
        if marginal.kind == "cohort" and len(with_isthmus) == 0:
            raise InputError(
                "No gland of the training cohort has an isthmus, so the distribution of its area is unknown. Give a "
                "distribution of isthmus areas, or 100% without isthmus."
            )
        within = (share[~absent] * count - absent.sum()) / (count - absent.sum())
        areas[~absent] = marginal.quantiles(within, "isthmus_area_mm2", with_isthmus)
    return areas


def _scores(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return standard normal scores (n, 3) of the features' ranks.

    Glands without an isthmus have equal areas, but not equal chances of having one. Their ranks are drawn:
    given the other two features, the score of the isthmus has a normal distribution, cut at the score above
    which glands have an isthmus.
    """
    from scipy.special import ndtr, ndtri
    from scipy.stats import rankdata

    count = len(features)
    scores = ndtri((rankdata(features, method="ordinal", axis=0) - 0.5) / count)
    absent = features[:, _AREA] == 0
    if not 1 < absent.sum() < count:
        scores[absent, _AREA] = rng.permutation(scores[absent, _AREA])
        return scores
    start = np.where(absent, scores[absent, _AREA].mean(), scores[:, _AREA])
    others = np.column_stack([scores[:, [_VOLUME, _SYMMETRY]], np.ones(count)])
    expected = others @ np.linalg.lstsq(others, start, rcond=None)[0]
    spread = max(float((start - expected).std()), 1e-6)
    below = ndtr((ndtri(absent.mean()) - expected[absent]) / spread)
    drawn = expected[absent] + spread * ndtri(rng.random(len(below)) * below)
    scores[absent, _AREA] = np.sort(scores[absent, _AREA])[rankdata(drawn, method="ordinal") - 1]
    return scores


def _evenly(scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows (count,) of training cases, each as often as any other if possible, ordered by volume."""
    order = np.argsort(scores[:, _VOLUME], kind="stable")
    places = np.floor((np.arange(count) + rng.random()) * len(scores) / count).astype(int)
    return order[np.minimum(places, len(scores) - 1)]
