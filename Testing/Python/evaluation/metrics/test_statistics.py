"""Agreement and distributions: values known in closed form, and errors that a correlation would hide."""

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.metrics.statistics import agreement, compare_distributions, share_interval


def test_bias_and_slope_are_reported_where_the_correlation_is_perfect():
    targets = np.linspace(0.3, 0.8, 50)
    result = agreement(targets, 0.5 * targets + 0.4, cohort_sd=0.1)
    assert result.pcc == pytest.approx(1)
    assert result.slope == pytest.approx(0.5)
    assert result.bias == pytest.approx(0.4 - 0.5 * 0.55)
    assert result.mae_sd == pytest.approx(result.mae / 0.1)
    assert result.mae_sd_interval[0] < result.mae_sd < result.mae_sd_interval[1]


def test_intervals_contain_the_estimate_and_are_narrower_for_more_thyroids():
    rng = np.random.default_rng(0)
    few, many = (agreement(x := rng.normal(size=n), x + 0.3 * rng.normal(size=n), cohort_sd=1.0) for n in (30, 600))
    for result in (few, many):
        for name in ("pcc", "slope", "bias", "mae"):
            low, high = getattr(result, f"{name}_interval")
            assert low < getattr(result, name) < high
    assert np.ptp(many.pcc_interval) < np.ptp(few.pcc_interval)
    assert many.pcc == pytest.approx(1 / np.sqrt(1.09), abs=0.02)


def test_constant_targets_have_no_correlation_but_an_error():
    result = agreement(np.full(10, 15.0), np.full(10, 16.0), cohort_sd=5.0)
    assert result.pcc is None and result.slope is None and result.pcc_interval is None
    assert result.mae == pytest.approx(1.0)


def test_the_bootstrap_is_reproducible_with_its_seed():
    x = np.arange(20.0)
    assert agreement(x, x**1.1, cohort_sd=1, seed=5) == agreement(x, x**1.1, cohort_sd=1, seed=5)


def test_distances_of_distributions_are_in_the_features_unit():
    cohort = np.concatenate([np.zeros(30), np.linspace(20, 90, 70)])
    same = compare_distributions(cohort, cohort)
    assert same["ks"] == 0 and same["wasserstein"] == 0
    moved = compare_distributions(cohort, cohort + 10)
    assert moved["wasserstein"] == pytest.approx(10)
    assert moved["wasserstein_sd"] == pytest.approx(10 / cohort.std())
    assert (moved["cohort_zero_share"], moved["generated_zero_share"]) == (0.3, 0)


def test_the_interval_of_a_full_share_starts_below_one():
    low, high = share_interval(200, 200)
    assert (low, high) == pytest.approx((200 / (200 + 1.959964**2), 1))  # Wilson
    assert share_interval(0, 50)[0] == 0
