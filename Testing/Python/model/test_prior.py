"""Codes and features are drawn from distributions fitted to the cohort."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.prior import CodePrior, draw_features, prior_of, shrunk_covariance
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture
def related() -> tuple[np.ndarray, np.ndarray]:
    """Correlated fixed and trainable codes."""
    rng = np.random.default_rng(0)
    fixed = rng.normal(size=(2000, 2))
    noise = rng.normal(size=(2000, 3)) @ np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 0.2]])
    return fixed, noise + fixed @ np.array([[2.0, 0.0, 0.0], [0.0, 0.0, -1.0]]) + (0.0, 5.0, 0.0)


def drawn(prior: CodePrior, fixed: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([prior.draw(code, rng) for code in fixed])


def test_the_independent_prior_is_one_normal_per_dimension_without_regard_to_features(related) -> None:
    fixed, trainable = related
    codes = drawn(CodePrior.independent(fixed, trainable), fixed)

    np.testing.assert_allclose(codes.mean(axis=0), trainable.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(codes.std(axis=0), trainable.std(axis=0), rtol=0.07)
    assert np.abs(np.corrcoef(codes.T, fixed.T) - np.eye(5)).max() < 0.1


def test_the_conditional_prior_has_the_covariances_of_the_codes_with_features_and_each_other(related) -> None:
    fixed, trainable = related
    codes = drawn(CodePrior.conditional(fixed, trainable), fixed)

    np.testing.assert_allclose(
        np.cov(codes.T, fixed.T), np.cov(trainable.T, fixed.T), atol=0.15 * np.cov(trainable.T).max()
    )
    np.testing.assert_allclose(codes.mean(axis=0), trainable.mean(axis=0), atol=0.15)


def test_mirrored_dimensions_have_mean_0_and_the_length_for_the_features(related) -> None:
    fixed, trainable = related
    rng = np.random.default_rng(2)
    direction = rng.normal(size=(len(fixed), 4)) * (1.0, 0.5, 0.5, 0.1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = np.exp(0.4 * fixed[:, 0] - 1.0)
    prior = CodePrior.conditional(fixed, np.hstack([trainable, direction * length[:, None]]), mirrored_size=4)

    mirrored = drawn(prior, fixed)[:, 3:]

    assert (prior.mean(fixed[0])[3:] == 0).all()
    np.testing.assert_array_less(np.abs(mirrored.mean(axis=0)), 0.1 * mirrored.std(axis=0))
    np.testing.assert_allclose(np.linalg.norm(mirrored, axis=1), length, rtol=0.02)
    np.testing.assert_allclose(mirrored.std(axis=0), (direction * length[:, None]).std(axis=0), rtol=0.5)


def test_a_covariance_of_few_samples_is_invertible_and_one_of_many_is_close_to_the_true_one() -> None:
    rng = np.random.default_rng(0)
    root = np.array([[1.0, 0.9, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 3.0]])
    few = rng.normal(size=(4, 10))
    many = rng.normal(size=(20000, 3)) @ root

    assert np.linalg.eigvalsh(shrunk_covariance(few - few.mean(axis=0))).min() > 0
    np.testing.assert_allclose(shrunk_covariance(many - many.mean(axis=0)), root.T @ root, atol=0.2)


def test_the_settings_of_a_model_determine_its_prior(small_model: TrainedModel) -> None:
    paper = replace(small_model, settings=replace(small_model.settings, prior="independent"))

    assert np.abs(prior_of(small_model).slope).max() > 0
    assert np.abs(prior_of(paper).slope).max() == 0


def test_features_without_targets_have_the_distribution_of_the_cohort(small_model: TrainedModel) -> None:
    rng = np.random.default_rng(0)
    free = np.array([draw_features(small_model, rng) for _ in range(300)])

    spread = small_model.features.std(axis=0)
    np.testing.assert_array_less(np.abs(free.mean(axis=0) - small_model.features.mean(axis=0)), 0.3 * spread)
    np.testing.assert_allclose(free.std(axis=0), spread, rtol=0.25)
    absent = (small_model.features[:, 1] == 0).mean()
    assert (free[:, 1] == 0).mean() == pytest.approx(absent, abs=0.12)
    assert ((free[:, 2] > 0) & (free[:, 2] <= 1)).all()


def test_a_feature_with_a_target_has_its_value_and_the_others_vary(small_model: TrainedModel) -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([draw_features(small_model, rng, Targets(volume_ml=9.0)) for _ in range(50)])

    assert (drawn[:, 0] == 9.0).all()
    assert drawn[:, 2].std() > 0


def test_targets_that_no_case_is_near_still_give_the_other_features(small_model: TrainedModel) -> None:
    # One case is far from all others in volume, another in area: none is near both targets.
    features = np.tile([10.0, 50.0, 0.8], (4000, 1)) + np.random.default_rng(0).normal(size=(4000, 3)) * 1e-3
    features[0, 0], features[1, 1] = 1000.0, 5000.0
    model = replace(small_model, features=features)

    drawn = draw_features(model, np.random.default_rng(0), Targets(volume_ml=1000.0, isthmus_area_mm2=5000.0))

    assert drawn[:2].tolist() == [1000.0, 5000.0]
    assert 0 < drawn[2] <= 1
