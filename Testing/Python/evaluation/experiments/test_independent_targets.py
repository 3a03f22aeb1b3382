"""Independent targets: uncorrelated, and compared with the measured features."""

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.experiments.independent_targets import Attempt, IndependentTargets, draw_independent


def a_cohort(count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    volume = rng.lognormal(2.7, 0.35, count)
    area = np.where(rng.random(count) < 0.3, 0.0, 20.0 + 2.0 * volume)
    return np.column_stack([volume, area, np.clip(0.9 - 0.01 * volume, 0.2, 1.0)])


def test_targets_are_within_the_percentiles_and_uncorrelated():
    cohort = a_cohort()
    drawn = draw_independent(cohort, 600, seed=3)
    low, high = np.percentile(cohort, [5, 95], axis=0)
    assert (drawn >= low - 1e-9).all() and (drawn <= high + 1e-9).all()
    assert abs(np.corrcoef(cohort[:, 0], cohort[:, 2])[0, 1]) > 0.9
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.15
    assert np.array_equal(drawn, draw_independent(cohort, 600, seed=3))


def test_the_isthmus_is_absent_as_often_as_in_the_cohort_and_never_interpolated():
    areas = draw_independent(a_cohort(), 600, seed=1)[:, 1]
    assert (areas == 0).mean() == pytest.approx(0.3, abs=0.08)
    assert areas[areas > 0].min() > 20.0


def test_targets_reported_as_met_are_checked_with_the_measured_features():
    targets = np.array([15.0, 40.0, 0.6])
    attempts = (
        Attempt(targets, np.array([15.1, 41.0, 0.605]), True, 1.0),
        # Reported as met, but the volume differs by 10%.
        Attempt(targets, np.array([16.5, 40.0, 0.6]), True, 1.4),
        Attempt(targets, np.array([13.0, 40.0, 0.6]), False, 2.0),
        Attempt(targets, None, False, None),
    )
    found = IndependentTargets(attempts, np.array([5.0, 25.0, 0.1])).as_dict()
    assert (found["within"], found["share_within"]) == (1, 0.25)
    assert found["out_of_reach"] == 2 and found["share_within_of_reachable"] == 0.5
    assert found["share_within_by_feature"]["symmetry"] == 0.75
    assert found["agreement"]["volume_ml"]["count"] == 2
    assert found["code_distance_sd"] == {"mean": pytest.approx(1.2), "largest": 1.4}


def test_no_attempts_and_none_reached_give_no_shares():
    assert IndependentTargets((), np.ones(3)).as_dict() == {"thyroids": 0}
    lost = IndependentTargets((Attempt(np.ones(3), None, False, None),), np.ones(3)).as_dict()
    assert lost["share_within_of_reachable"] is None and lost["agreement"] == {}
