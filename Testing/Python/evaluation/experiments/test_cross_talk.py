"""The cross-talk matrix: averages, signs, and excluded moves."""

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.experiments.cross_talk import CrossTalk, Move, cross_talk_of_direct_sampling
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.geometry.targets import Targets


def test_changes_are_averaged_by_moved_feature_and_the_worst_held_one_is_returned():
    moves = (
        Move("volume_ml", 1, np.array([1.0, 0.2, -0.1]), True),
        Move("volume_ml", -1, np.array([1.0, -0.4, 0.1]), True),
        Move("symmetry", 1, np.array([0.0, 0.05, 0.9]), True),
    )
    found = CrossTalk(moves, thyroids=2, skipped=1)
    assert found.matrix()[0] == pytest.approx([1.0, 0.3, 0.1])
    assert np.isnan(found.matrix()[1]).all()
    assert found.worst_held() == pytest.approx(0.3)
    summary = found.as_dict()
    # Opposite changes cancel in the mean, but not in the mean of absolute changes.
    assert summary["moved"]["volume_ml"]["isthmus_area_mm2"]["mean"] == pytest.approx(-0.1)
    assert summary["moved"]["volume_ml"]["isthmus_area_mm2"]["largest_abs"] == pytest.approx(0.4)
    assert set(summary["moved"]) == {"volume_ml", "symmetry"} and summary["outside_cohort_range"] == 1


def test_moves_out_of_reach_are_counted_separately():
    moves = (
        Move("symmetry", 1, np.array([0.0, 0.0, 1.0]), True),
        Move("symmetry", 1, np.array([0.8, 0.0, 0.4]), False),
    )
    summary = CrossTalk(moves, thyroids=2, skipped=0).as_dict()
    assert summary["out_of_reach"] == 1 and summary["worst_held"] == 0
    assert summary["moved"]["symmetry"]["volume_ml"]["mean_abs_with_out_of_reach"] == pytest.approx(0.4)


def test_without_moves_the_cross_talk_is_none():
    assert CrossTalk((), thyroids=0, skipped=0).worst_held() is None


def test_moves_that_would_leave_the_range_of_the_cohort_are_not_made(small_model):
    (drawn,) = generate(small_model, count=1, seed=2, resolution=32)
    features = small_model.features
    typical, largest = (
        replace(drawn, targets=Targets.from_array(each(axis=0))) for each in (features.mean, features.max)
    )
    found = cross_talk_of_direct_sampling(small_model, [typical, largest], resolution=32)
    assert (found.thyroids, found.skipped) == (2, 3)
    assert [(move.feature, move.sign) for move in found.moves] == [
        ("volume_ml", 1),
        ("isthmus_area_mm2", 1),
        ("symmetry", 1),
    ]
