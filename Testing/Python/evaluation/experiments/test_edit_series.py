"""The series of figure 4: its steps stay within the range of the cohort."""

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.experiments.edit_series import REACH_SD, varied
from ThyroidSynthLib.geometry.features import Features


def test_steps_end_at_the_planned_reach_or_at_the_range_of_the_cohort():
    low, high, spread = np.array([5.0, 0.0, 0.3]), np.array([60.0, 90.0, 0.8]), np.array([8.0, 25.0, 0.1])
    own = Features(10.0, 10.0, 0.55).as_array()
    steps = [[by_sd for by_sd, _ in varied(own, column, spread, low, high)] for column in range(3)]
    assert steps[0] == pytest.approx([-5 / 8, -5 / 16, 0.0, REACH_SD / 2, REACH_SD])
    assert steps[1] == pytest.approx([-0.4, -0.2, 0.0, REACH_SD / 2, REACH_SD])


@pytest.mark.parametrize("area", np.random.default_rng(0).uniform(1.0, 40.0, 20))
def test_rounding_gives_no_negative_isthmus_area(area):
    own = np.array([12.0, area, 0.6])
    spread = np.array([7.3, 26.7, 0.13])
    targets = [features[1] for _, features in varied(own, 1, spread, np.zeros(3), np.full(3, 99.0))]
    assert targets[0] == 0.0 and targets[2] == area


def test_a_value_outside_the_range_is_varied_only_towards_it():
    own = np.array([12.0, 120.0, 0.6])
    steps = [by_sd for by_sd, _ in varied(own, 1, np.full(3, 30.0), np.zeros(3), np.full(3, 90.0))]
    assert steps == pytest.approx([-REACH_SD, -REACH_SD / 2, 0.0, 0.0, 0.0])
