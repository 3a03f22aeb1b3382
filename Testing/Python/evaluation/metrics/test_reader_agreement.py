"""Agreement of readers against published worked examples and counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.metrics.reader_agreement import Estimate, area_under_curve, intraclass_correlation

# Table 2 of Shrout and Fleiss, Psychological Bulletin 1979; 86: 420. Six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


def test_the_intraclass_correlation_is_that_of_the_published_example():
    """The article states 0.29; R's psych::ICC gives 0.29 with the interval 0.019 to 0.76."""
    found = intraclass_correlation(SHROUT_FLEISS)
    assert found.value == pytest.approx(0.2898, abs=5e-4)
    assert found.interval == pytest.approx((0.019, 0.761), abs=1e-3)


def test_equal_ratings_of_two_readers_agree_fully_and_a_constant_offset_lowers_the_agreement():
    ratings = np.array([[1, 1], [2, 2], [3, 3], [5, 5]])
    assert intraclass_correlation(ratings).value == pytest.approx(1.0)
    assert intraclass_correlation(ratings).interval is None
    # Mean squares by hand for (1, 2), (2, 3), (3, 4): rows 2, columns 1.5, error 0; 2 / (2 + 2 * 1.5 / 3) = 2 / 3.
    assert intraclass_correlation(np.array([[1, 2], [2, 3], [3, 4]])).value == pytest.approx(2 / 3)


@pytest.mark.parametrize("ratings", [np.ones((1, 2)), np.ones((3, 1)), np.full((4, 2), 3.0), np.ones((0, 2))])
def test_too_few_or_equal_ratings_have_no_intraclass_correlation(ratings):
    assert intraclass_correlation(ratings) == Estimate(None, None)


def test_the_area_is_the_share_of_pairs_counted_by_hand():
    # Pairs: 5>2, 5>3, 3>2, 3=3: 3.5 of 4.
    found = area_under_curve(np.array([[5], [3]]), np.array([[2], [3]]))
    assert found.value == pytest.approx(0.875)
    # Structural components 1, 0.75 and 1, 0.75: variance 2 * (0.03125 / 2) = 0.03125.
    assert found.interval == pytest.approx((0.875 - 1.959964 * 0.03125**0.5, 1.0))


def test_the_interval_is_that_of_the_definition_of_delong_for_several_readers():
    """Against the covariance matrix of the readers' areas, as the article defines it."""
    rng = np.random.default_rng(3)
    positive, negative = rng.integers(2, 6, (14, 3)), rng.integers(1, 5, (11, 3))
    areas, by_positive, by_negative = [], [], []
    for reader in range(3):
        psi = [[1.0 if x > y else 0.5 if x == y else 0.0 for y in negative[:, reader]] for x in positive[:, reader]]
        areas.append(np.mean(psi))
        by_positive.append(np.mean(psi, axis=1))
        by_negative.append(np.mean(psi, axis=0))
    covariance = np.cov(by_positive) / 14 + np.cov(by_negative) / 11
    weights = np.full(3, 1 / 3)
    found = area_under_curve(positive, negative)
    assert found.value == pytest.approx(np.mean(areas))
    half = 1.959964 * np.sqrt(weights @ covariance @ weights)
    assert found.interval == pytest.approx((found.value - half, found.value + half))


def test_equal_ratings_give_one_half_and_perfect_separation_has_no_interval():
    assert area_under_curve(np.full((3, 1), 3), np.full((4, 1), 3)) == Estimate(0.5, None)
    assert area_under_curve(np.full((3, 1), 5), np.full((4, 1), 1)) == Estimate(1.0, None)
    assert area_under_curve(np.full((1, 1), 5), np.array([[1], [5]])) == Estimate(0.75, None)
    assert area_under_curve(np.ones((0, 1)), np.ones((2, 1))) == Estimate(None, None)
