"""The offset of the first layer that a fit finds beside the code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.fit import fitting
from ThyroidSynthLib.generation.fit.completions import plausible_completions, surface_sd_mm
from ThyroidSynthLib.generation.fit.fitting import fit_surface
from ThyroidSynthLib.generation.thyroid import thyroid_of_code
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.model.trained_model import TrainedModel

# Not among the training cases.
GLAND = two_lobes(semi_axes_mm=(10.1, 9.0, 19.0), offset_mm=12.5, right_share=0.85)


def test_an_offset_reduces_the_error_and_leaves_the_code(
    small_model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_offset = fit_surface(small_model, GLAND, resolution=40)
    monkeypatch.setattr(fitting, "_OFFSET_ROUNDS", 0)
    alone = fit_surface(small_model, GLAND, resolution=40)

    size = small_model.code_size
    np.testing.assert_array_equal(with_offset.thyroid.code[:size], alone.thyroid.code[:size])
    np.testing.assert_array_equal(alone.thyroid.code[size:], 0.0)
    assert with_offset.distance == alone.distance
    np.testing.assert_array_equal(with_offset.covariance, alone.covariance)
    points = sample_surface(GLAND, 2000, np.random.default_rng(0))
    error = [np.abs(signed_distance(fit.thyroid.surface, points)).mean() for fit in (with_offset, alone)]
    assert error[0] < 0.75 * error[1]
    assert with_offset.rms_mm < 0.75 * alone.rms_mm


def test_an_offset_takes_the_steps_that_a_gland_unlike_the_training_cases_needs(
    small_model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gland = two_lobes(semi_axes_mm=(13.0, 7.0, 16.0), offset_mm=14.0, right_share=0.7)
    points = sample_surface(gland, 2000, np.random.default_rng(0))

    def error() -> float:
        surface = fit_surface(small_model, gland, resolution=40).thyroid.surface
        return float(np.abs(signed_distance(surface, points)).mean())

    with_offset = error()
    monkeypatch.setattr(fitting, "_OFFSET_ROUNDS", 0)
    # With 8 steps it is .47.
    assert with_offset < 0.44 * error()


def test_code_and_offset_reproduce_the_shape_and_its_uncertainty(small_model: TrainedModel) -> None:
    fit = fit_surface(small_model, GLAND, resolution=24)
    again = thyroid_of_code(small_model, fit.thyroid.code, resolution=24)
    np.testing.assert_allclose(again.surface.vertices, fit.thyroid.surface.vertices, atol=1e-6)
    without = thyroid_of_code(small_model, fit.thyroid.code[: small_model.code_size], resolution=24)
    assert abs(without.surface.volume - again.surface.volume) > 1.0
    assert surface_sd_mm(small_model, fit).shape == (len(fit.thyroid.surface.vertices),)
    drawn = plausible_completions(small_model, fit, count=6).features
    assert np.ptp(drawn[:, 0]) > 0.0
    assert np.median(drawn[:, 0]) == pytest.approx(fit.thyroid.measured.volume_ml, rel=0.1)


def test_three_forms_of_an_offset_are_one_field(small_model: TrainedModel) -> None:
    rng = np.random.default_rng(1)
    network = small_model.network
    code = small_model.codes[0].astype(np.float32)
    offset = rng.normal(scale=0.1, size=network.width).astype(np.float32)
    points = rng.uniform(-0.5, 0.5, (200, 3)).astype(np.float32)

    expected = Field(small_model, np.append(code, offset))(points)
    moved = replace(small_model, network=network.with_offset(offset))
    np.testing.assert_allclose(Field(moved, code)(points), expected, atol=1e-6)
    around = network.around(code)
    assert around.code_size == network.width
    np.testing.assert_allclose(around.values(points, around.fold(offset)), expected, atol=1e-6)
    assert np.abs(Field(small_model, code)(points) - expected).max() > 0.01


def test_derivatives_by_an_offset_are_those_of_finite_differences(small_model: TrainedModel) -> None:
    around = small_model.network.around(small_model.codes[0])
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (50, 3)).astype(np.float32)
    none = np.zeros(around.width, dtype=np.float32)
    _, _, slope = around.derivatives(points, around.fold(none))
    for unit in (0, around.width // 2):
        step = none.copy()
        step[unit] = 1e-3
        rise = around.values(points, around.fold(step)) - around.values(points, around.fold(-step))
        np.testing.assert_allclose(slope[:, unit], rise / 2e-3, atol=2e-2)
        assert np.median(np.abs(slope[:, unit] - rise / 2e-3)) < 1e-3
