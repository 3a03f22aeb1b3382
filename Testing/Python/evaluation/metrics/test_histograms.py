"""Histograms of the feature charts."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.metrics.histograms import histogram, limits


def test_each_sample_adds_up_to_100_percent_over_shared_bins():
    found = histogram(np.linspace(5, 25, 200), np.array([10.0, 30.0]), bins=5)
    assert found.cohort.sum() == pytest.approx(100.0)
    assert found.made.sum() == pytest.approx(100.0)
    assert found.edges[0] <= 5.0
    assert found.edges[-1] >= 30.0
    assert len(found.centres) == 5


def test_the_outline_starts_and_ends_at_zero():
    x, y = histogram(np.array([1.0, 2.0]), np.array([1.0]), bins=3).outline_of_made()
    assert len(x) == len(y) == 8
    assert y[0] == y[-1] == 0.0
    assert y.max() == 100.0


@pytest.mark.parametrize("cohort", [[], [4.0], [0.0, 0.0]])
def test_empty_and_constant_samples_have_increasing_edges(cohort):
    found = histogram(np.array(cohort), np.array([]))
    assert np.isfinite(found.edges).all()
    assert (np.diff(found.edges) > 0).all()
    assert found.made.sum() == 0.0


def test_limits_are_not_negative():
    assert limits(np.array([0.0, 100.0]))[0] == 0.0
