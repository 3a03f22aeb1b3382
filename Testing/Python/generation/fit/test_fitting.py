"""The code of a given thyroid is found, reproducibly and near the training codes."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import shifted
from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.generation.fit.fitting import fit_surface
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.model.trained_model import TrainedModel


def test_training_cases_are_fitted(small_model: TrainedModel, small_cohort: Cohort) -> None:
    for row in (0, 7):
        surface = small_cohort.surface(small_cohort.ids[row])
        fit = fit_surface(small_model, surface, resolution=40)

        assert fit.rms_mm < 0.7
        assert fit.distance < 2.0
        assert fit.inside_share == 1.0
        assert fit.thyroid.validity.ok
        assert fit.thyroid.measured.volume_ml == pytest.approx(small_cohort.features[row, 0], rel=0.05)
        reconstructed = reconstruct(small_model, row, resolution=40)
        np.testing.assert_allclose(fit.thyroid.surface.bounds, reconstructed.surface.bounds, atol=1.5)


def test_a_shape_of_the_model_is_fitted_almost_exactly(small_model: TrainedModel) -> None:
    own = reconstruct(small_model, 4, resolution=64)

    fit = fit_surface(small_model, own.surface, resolution=40)

    assert fit.rms_mm < 0.35
    assert fit.thyroid.measured.volume_ml == pytest.approx(own.measured.volume_ml, rel=0.03)


def test_an_unseen_thyroid_is_fitted(small_model: TrainedModel) -> None:
    unseen = two_lobes(semi_axes_mm=(9.3, 8.1, 17.2), offset_mm=10.3, right_share=0.93)

    fit = fit_surface(small_model, unseen, resolution=40)

    assert fit.rms_mm < 1.0
    assert fit.thyroid.measured.volume_ml == pytest.approx(measure_features(unseen).volume_ml, rel=0.1)


def test_the_same_surface_gives_the_same_code(small_model: TrainedModel, small_cohort: Cohort) -> None:
    surface = small_cohort.surface(small_cohort.ids[2])

    first, again, other = (fit_surface(small_model, surface, seed=seed, resolution=24) for seed in (0, 0, 1))

    np.testing.assert_array_equal(first.thyroid.code, again.thyroid.code)
    assert not np.array_equal(first.thyroid.code, other.thyroid.code)
    assert other.rms_mm == pytest.approx(first.rms_mm, abs=0.1)


def test_a_gland_outside_the_training_box_has_a_low_inside_share_and_a_distant_code(
    small_model: TrainedModel, small_cohort: Cohort
) -> None:
    away = shifted(small_cohort.surface(small_cohort.ids[0]), z=15.0)

    fit = fit_surface(small_model, away, resolution=24)

    assert fit.inside_share < 0.8
    assert fit.distance > 3.0


def test_a_baseline_model_fits_too(small_baseline: TrainedModel, small_cohort: Cohort) -> None:
    fit = fit_surface(small_baseline, small_cohort.surface(small_cohort.ids[0]), resolution=24)

    assert fit.thyroid.measured.volume_ml == pytest.approx(small_cohort.features[0, 0], rel=0.25)


def test_fitting_can_be_cancelled(small_model: TrainedModel, small_cohort: Cohort) -> None:
    with pytest.raises(Cancelled):
        fit_surface(small_model, small_cohort.surface(small_cohort.ids[0]), should_stop=lambda: True)
