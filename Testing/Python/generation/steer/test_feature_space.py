"""The out-of-distribution score of features and targets, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace, tail_limit
from ThyroidSynthLib.model.trained_model import TrainedModel

NAN = np.nan


def population(count: int, seed: int) -> np.ndarray:
    """Draw features like those of the example cohort: skewed volumes, a third without isthmus, a few single lobes."""
    rng = np.random.default_rng(seed)
    volume = np.exp(2.6 + 0.5 * rng.standard_t(6, count))
    area = np.where(rng.random(count) < 0.3, 0.0, np.clip(rng.normal(65, 25, count), 5, None))
    single = rng.random(count) < 0.03
    symmetry = np.where(single, 0.0, np.clip(rng.normal(0.57, 0.1, count), 0.05, 0.95))
    return np.column_stack([volume, np.where(single, 0.0, area), symmetry])


def test_the_limit_continues_the_tail_of_a_sample_and_is_never_below_its_largest_value():
    # The tail of 100 values is the largest ten, here 91 to 100, on average 5.5 above the eleventh, 90.
    assert tail_limit(np.arange(1, 101)) == pytest.approx(90 + 5.5 * np.log(10 / (100 * 0.002)))
    assert tail_limit(np.append(np.zeros(99), 7.0)) == pytest.approx(7.0)
    exponential = np.random.default_rng(0).exponential(size=100_000)
    assert tail_limit(exponential) >= -np.log(0.002)
    assert tail_limit(np.append(np.zeros(30), np.full(10, 2.0))) == np.inf
    assert tail_limit([1.0, 2.0, 3.0]) == tail_limit(np.zeros(50)) == np.inf


@pytest.mark.parametrize("count", [40, 160])
def test_ordinary_held_out_cases_are_rarely_beyond_the_limit_and_training_cases_never(count):
    beyond = 0.0
    for seed in range(20):
        drawn = population(count + 200, seed)
        space = FeatureSpace(drawn[:count])
        assert space.scores(drawn[:count]).max() <= 1.0
        beyond += (space.scores(drawn[count:]) > 1).mean() / 20
    assert beyond <= 0.05


def test_very_small_and_very_large_glands_are_far_from_the_shipped_models_training_cases():
    model = TrainedModel.load("example")
    space = FeatureSpace(model.features)
    middle = np.median(model.features, axis=0)
    for volume in (0.3, 80.0):
        scale = (volume / middle[0]) ** (2 / 3)
        for targets in ([volume, NAN, NAN], [volume, middle[1] * scale, middle[2]]):
            assert space.far(np.array([targets])).tolist() == [0]
            assert f"volume {volume:g} mL" in space.unlike(np.array(targets))
    assert space.unlike(middle) == ""


def test_a_free_feature_does_not_count_and_a_constant_one_does_no_harm():
    known = np.column_stack([np.linspace(8, 20, 40), np.full(40, 50.0), np.linspace(0.4, 0.8, 40)])
    space = FeatureSpace(known)
    assert space.scores(np.full((1, 3), NAN)).tolist() == [0.0]
    assert space.scores(np.array([[14.0, NAN, NAN], [14.0, 50.0, 0.6]])).max() < 1.0
    assert space.scores(np.array([[200.0, NAN, 0.6]]))[0] > 1.0


def test_a_combination_of_ordinary_values_that_no_case_has_is_beyond_the_limit():
    rng = np.random.default_rng(3)
    volume = rng.uniform(5, 30, 100)
    space = FeatureSpace(np.column_stack([volume, 3 * volume + rng.normal(0, 1, 100), rng.uniform(0.4, 0.8, 100)]))
    small_gland_with_a_large_isthmus = np.array([6.0, 80.0, 0.6])
    assert space.outside(small_gland_with_a_large_isthmus) == []
    assert space.scores(small_gland_with_a_large_isthmus[None])[0] > 1.5
