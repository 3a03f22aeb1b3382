"""What codes tell: a feature written into the code is found, and noise is not."""

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.metrics.disentanglement import Predictability, cross_validated_r2


def test_a_feature_that_a_code_holds_is_predicted_and_a_shuffled_one_is_not():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(120, 16))
    feature = codes[:, 3] - 2.0 * codes[:, 7] + 0.2 * rng.normal(size=120)
    targets = np.column_stack([feature, rng.permutation(feature)])
    told, shuffled = cross_validated_r2(codes, targets, rng.permutation(120))
    assert told > 0.9 and shuffled < 0.1


def test_predictions_are_of_cases_left_out():
    # As many predictors as cases: whoever looked at the case itself would predict it perfectly.
    rng = np.random.default_rng(1)
    codes, feature = rng.normal(size=(60, 60)), rng.normal(size=(60, 1))
    assert cross_validated_r2(codes, feature, np.arange(60))[0] < 0.2


def test_scale_and_offset_of_codes_and_features_do_not_matter():
    rng = np.random.default_rng(2)
    codes, order = rng.normal(size=(50, 5)), rng.permutation(50)
    feature = codes[:, :1] + rng.normal(size=(50, 1))
    plain = cross_validated_r2(codes, feature, order)
    scaled = cross_validated_r2(1e-3 * codes + 5.0, 40.0 * feature - 7.0, order)
    assert scaled == pytest.approx(plain, abs=1e-6)


def test_a_permutation_test_counts_the_feature_itself():
    assert Predictability(0.5, np.zeros(99)).p == pytest.approx(0.01)
    assert Predictability(0.0, np.linspace(-1, 1, 101)).p == pytest.approx(52 / 102)
