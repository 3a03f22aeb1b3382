"""Disentanglement: a feature that is part of the code is predicted from it, and a permuted one is not."""

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.metrics.disentanglement import Predictability, cross_validated_r2


def test_a_feature_in_the_code_is_predicted_and_a_permuted_one_is_not():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(120, 16))
    feature = codes[:, 3] - 2.0 * codes[:, 7] + 0.2 * rng.normal(size=120)
    responses = np.column_stack([feature, rng.permutation(feature)])
    in_code, permuted = cross_validated_r2(codes, responses, rng.permutation(120))
    assert in_code > 0.9 and permuted < 0.1


def test_predictions_are_made_for_cases_left_out_of_the_fit():
    # With as many predictors as cases a fit to all cases would be perfect.
    rng = np.random.default_rng(1)
    codes, feature = rng.normal(size=(60, 60)), rng.normal(size=(60, 1))
    assert cross_validated_r2(codes, feature, np.arange(60))[0] < 0.2


def test_r2_does_not_depend_on_scale_and_offset():
    rng = np.random.default_rng(2)
    codes, case_order = rng.normal(size=(50, 5)), rng.permutation(50)
    feature = codes[:, :1] + rng.normal(size=(50, 1))
    plain = cross_validated_r2(codes, feature, case_order)
    scaled = cross_validated_r2(1e-3 * codes + 5.0, 40.0 * feature - 7.0, case_order)
    assert scaled == pytest.approx(plain, abs=1e-6)


def test_the_permutation_test_counts_the_feature_itself():
    assert Predictability(0.5, np.zeros(99)).p == pytest.approx(0.01)
    assert Predictability(0.0, np.linspace(-1, 1, 101)).p == pytest.approx(52 / 102)
