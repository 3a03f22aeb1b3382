"""Compactness: the shares of the variance are those of the principal components."""

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.metrics.compactness import compactness_summary, cumulative_variance


def test_the_shares_are_those_of_independent_directions():
    # Variances 9, 4 and 1 along three axes: four samples at ±3 and ±2 and ±1, each pair on its own axis.
    samples = np.vstack([s * a * np.eye(5)[i] for i, a in enumerate((3.0, 2.0, 1.0)) for s in (1, -1)])
    found = cumulative_variance(samples + 7.0)
    assert found[:3] == pytest.approx([9 / 14, 13 / 14, 1.0])
    assert len(found) == 5 and found[-1] == pytest.approx(1.0)
    summary = compactness_summary(found)
    assert (summary["modes"], summary["modes_for_95_percent"]) == (5, 3)
    assert summary["share_of_first_10"] == pytest.approx(1.0)


def test_equal_or_single_samples_have_no_variance():
    assert cumulative_variance(np.ones((3, 4))).tolist() == [1.0, 1.0]
    assert compactness_summary(cumulative_variance(np.ones((1, 4)))) == {}
