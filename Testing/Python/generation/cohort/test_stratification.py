"""Stratified targets: the given distributions, with the dependences of the training cohort."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.achieved_distribution import ks_distance, rank_correlation
from ThyroidSynthLib.generation.cohort.stratification import stratified_targets
from ThyroidSynthLib.generation.cohort.target_distribution import TargetDistribution


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    """A training cohort of 150: large glands are less symmetric and have large isthmuses, a third has none."""
    rng = np.random.default_rng(4)
    latent = rng.multivariate_normal([0, 0, 0], [[1, 0.5, -0.6], [0.5, 1, -0.2], [-0.6, -0.2, 1]], size=150)
    volume = np.exp(2.5 + 0.5 * latent[:, 0])
    area = np.where(latent[:, 1] > -0.43, 60 + 40 * latent[:, 1], 0.0)
    return np.column_stack([volume, area, np.clip(0.6 + 0.15 * latent[:, 2], 0.05, 0.99)])


def stratified(features, count=500, seed=0, **texts):
    return stratified_targets(features, TargetDistribution.of_texts(texts), count=count, seed=seed)


@pytest.mark.parametrize("count", [12, 150, 1000])
def test_by_default_targets_are_distributed_as_in_the_training_cohort_also_in_small_cohorts(features, count):
    found = stratified(features, count)
    for column in range(3):
        # Strata deviate by half a thyroid and half a case; random draws would by 1.36/√n.
        assert ks_distance(found[:, column], features[:, column]) <= 0.5 / count + 0.5 / 150 + 1.0 / count
    assert abs((found[:, 1] == 0).mean() - (features[:, 1] == 0).mean()) <= 0.5 / count


def test_given_distributions_are_met_exactly(features):
    found = stratified(
        features, 200, volume_ml="lognormal(2.7, 0.35)", symmetry="uniform(0.4,0.8)", without_isthmus="30%"
    )
    np.testing.assert_allclose(
        np.sort(found[:, 0]), stats.lognorm(0.35, scale=np.exp(2.7)).ppf((np.arange(200) + 0.5) / 200), rtol=1e-6
    )
    np.testing.assert_allclose(np.sort(found[:, 2]), 0.4 + 0.4 * (np.arange(200) + 0.5) / 200)
    assert (found[:, 1] == 0).sum() == 60
    with_isthmus = features[features[:, 1] > 0, 1]
    assert ks_distance(found[found[:, 1] > 0, 1], with_isthmus) < 0.02


def test_rank_correlations_of_the_cohort_are_kept_whatever_the_distributions(features):
    pairs = [(0, 1), (0, 2), (1, 2)]
    cohort = np.array([rank_correlation(features[:, a], features[:, b]) for a, b in pairs])
    assert abs(cohort[1]) > 0.4
    for texts in ({}, {"volume_ml": "normal(20,4)", "symmetry": "uniform(0.3,0.9)"}):
        found = stratified(features, 900, **texts)
        again = np.array([rank_correlation(found[:, a], found[:, b]) for a, b in pairs])
        np.testing.assert_allclose(again, cohort, atol=0.06)


def test_the_most_likely_glands_gain_or_lose_an_isthmus(features):
    """With fewer without isthmus than in the cohort, large glands gain the small ones: dependence is kept."""
    found = stratified(features, 900, without_isthmus="10%")
    assert (found[:, 1] == 0).mean() == pytest.approx(0.1, abs=1e-3)
    assert rank_correlation(found[:, 0], found[:, 1]) == pytest.approx(
        rank_correlation(features[:, 0], features[:, 1]), abs=0.08
    )


def test_the_same_seed_gives_the_same_targets_in_random_order(features):
    np.testing.assert_array_equal(stratified(features, seed=3), stratified(features, seed=3))
    assert not np.array_equal(stratified(features, seed=3), stratified(features, seed=4))
    assert abs(stats.spearmanr(np.arange(500), stratified(features)[:, 0]).statistic) < 0.15


def test_one_value_for_all_and_extreme_shares_without_isthmus(features):
    assert set(stratified(features, 20, volume_ml="15")[:, 0]) == {15.0}
    assert (stratified(features, 20, without_isthmus="100%")[:, 1] == 0).all()
    assert (stratified(features, 20, without_isthmus="0%")[:, 1] > 0).all()
    assert stratified(features, 1).shape == (1, 3)


def test_isthmus_areas_of_a_cohort_without_any_are_rejected(features):
    apart = features * np.array([1, 0, 1])
    assert (stratified(apart, 10)[:, 1] == 0).all()
    with pytest.raises(InputError, match="has an isthmus"):
        stratified(apart, 10, without_isthmus="50%")
    assert (stratified(apart, 10, without_isthmus="50%", isthmus_area_mm2="uniform(20,60)")[:, 1] > 0).sum() == 5
    joined = features + np.array([0, 50, 0])
    assert (stratified(joined, 10, without_isthmus="50%")[:, 1] == 0).sum() == 5
