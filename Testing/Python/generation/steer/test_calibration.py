"""A feature map brings direct sampling nearer to the targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.generation.steer.calibration import calibrated
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.model.prior import prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def measured(small_model: TrainedModel) -> TrainedModel:
    return calibrated(replace(small_model, settings=replace(small_model.settings, prior="measured")), draws=80)


def errors(model: TrainedModel) -> np.ndarray:
    """Return the mean absolute target errors (3,) of direct sampling, in SDs of the cohort."""
    made = list(generate(model, count=12, seed=5, resolution=40))
    off = [each.targets.as_array() - each.thyroid.measured.as_array() for each in made]
    return np.abs(off).mean(axis=0) / model.features.std(axis=0)


def test_direct_sampling_comes_nearer_to_the_targets(measured: TrainedModel) -> None:
    without, with_ = errors(replace(measured, feature_map=None)), errors(measured)

    assert with_.mean() < 0.7 * without.mean(), (without, with_)


def test_codes_stay_about_as_likely_under_the_prior(measured: TrainedModel) -> None:
    prior = prior_of(measured)

    def unlikeliness(model: TrainedModel) -> float:
        codes = [each.thyroid.code for each in generate(model, count=12, seed=5, resolution=32)]
        fixed = measured.conditioning.size
        away = [code[fixed:] - prior.mean(code[:fixed].astype(float)) for code in codes]
        return float(np.mean([np.linalg.norm(np.linalg.solve(prior.factor, each)) for each in away]))

    assert unlikeliness(measured) < 1.3 * unlikeliness(replace(measured, feature_map=None))


def test_a_model_with_another_prior_is_returned_unchanged(small_model: TrainedModel) -> None:
    assert calibrated(small_model) is small_model


def test_the_feature_map_is_saved_in_the_model_file(
    measured: TrainedModel, small_model: TrainedModel, tmp_path
) -> None:
    for name, model in (("with", measured), ("without", small_model)):
        model.save(tmp_path / name)

    again = TrainedModel.load(tmp_path / "with").feature_map
    for found, expected in zip(again(measured.codes[0]), measured.feature_map(measured.codes[0]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert TrainedModel.load(tmp_path / "without").feature_map is None


def test_calibration_can_be_cancelled(small_model: TrainedModel) -> None:
    model = replace(small_model, settings=replace(small_model.settings, prior="measured"))

    with pytest.raises(Cancelled):
        calibrated(model, should_stop=lambda: True)
