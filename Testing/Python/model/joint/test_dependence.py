"""A dependence is found where there is one, and none where there is chance only."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.model.joint.dependence import Dependence


def test_what_depends_follows_and_what_does_not_stays() -> None:
    rng = np.random.default_rng(0)
    known = rng.normal(size=(150, 40))
    unknown = np.column_stack([2.0 * known[:, 3] + 0.2 * rng.normal(size=150), rng.normal(5.0, 3.0, (150, 6))])

    found = Dependence.fit(known, unknown)

    assert found.gain[0, 3] == pytest.approx(2.0, abs=0.2)
    assert np.abs(found.gain[1:]).max() < 0.05
    assert found.covariance[0, 0] < 0.2 and np.sqrt(found.covariance[1, 1]) == pytest.approx(3.0, rel=0.2)
    at = np.zeros(40)
    at[3] = 1.5
    assert found.expected(at)[0] == pytest.approx(3.0, abs=0.35)


def test_the_deviation_is_that_of_new_cases_and_not_of_those_it_was_fitted_to() -> None:
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(30, 1)) / 5
    known = rng.normal(size=(400, 30))
    unknown = known @ mixing + 0.5 * rng.normal(size=(400, 1))

    found = Dependence.fit(known[:60], unknown[:60])

    error = unknown[60:, 0] - np.array([found.expected(row)[0] for row in known[60:]])
    assert np.sqrt(found.covariance[0, 0]) == pytest.approx(error.std(), rel=0.25)


def test_few_cases_show_no_dependence() -> None:
    rng = np.random.default_rng(2)
    known = rng.normal(size=(8, 3))

    found = Dependence.fit(known, known[:, :1])

    assert not found.gain.any() and found.expected(known[0])[0] == pytest.approx(known[:, 0].mean())
