"""Leaving inactive ReLU units out changes no value, even if a whole layer is inactive or a value is NaN."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.model.active_units import ActiveUnits, Layer, SineUnits, hidden_units


def layer_of(inputs: int, outputs: int) -> Layer:
    rng = np.random.default_rng(outputs)
    return Layer.of(rng.normal(size=(outputs, inputs)), rng.normal(size=outputs))


@pytest.fixture
def layer() -> Layer:
    return layer_of(6, 4)


def test_units_that_are_0_at_every_point_are_left_out(layer: Layer) -> None:
    sums = np.array([[1.0, -1.0, 0.0, 2.0, -3.0, -1.0], [-1.0, -2.0, 0.0, 3.0, 4.0, -5.0]])

    active = ActiveUnits.of(sums)

    assert active.units.tolist() == [0, 3, 4]
    assert active.outputs.tolist() == [[1, 2, 0], [0, 3, 4]]
    np.testing.assert_allclose(active.sums(layer), np.maximum(sums, 0) @ layer.weight.T + layer.bias)


def test_after_an_inactive_layer_only_biases_remain(layer: Layer) -> None:
    dead = ActiveUnits.of(-np.ones((5, 6)))
    last = layer_of(6, 1)

    assert len(dead.units) == 0
    np.testing.assert_allclose(dead.value(last), np.tile(last.bias, 5))
    np.testing.assert_allclose(dead.sums(layer), np.tile(layer.bias, (5, 1)))


def test_nan_is_not_left_out(layer: Layer) -> None:
    sums = np.full((3, 6), -1.0)
    sums[1, 2] = np.nan

    assert ActiveUnits.of(sums).units.tolist() == [2]
    assert np.isnan(ActiveUnits.of(sums).sums(layer)[1]).all()


def test_all_units_of_a_sine_layer_are_used_with_their_derivatives() -> None:
    sums = np.array([[0.0, -0.4, 0.25], [0.0, 0.1, -2.0]])
    step = 1e-6

    sines = SineUnits.of(sums.copy(), 3.0)

    assert sines.units.tolist() == [0, 1, 2]
    np.testing.assert_allclose(sines.outputs, np.sin(3 * sums))
    change = (np.sin(3 * (sums + step)) - np.sin(3 * (sums - step))) / (2 * step)
    np.testing.assert_allclose(sines.back(np.ones((2, 3))), change, atol=1e-8)
    np.testing.assert_allclose(sines.back(np.full((1, 3), -2.0)), -2 * change, atol=1e-8)


def test_omega_decides_between_sine_and_relu_units() -> None:
    sums = np.array([[0.5, -0.5]])

    assert hidden_units(sums.copy(), None).outputs.tolist() == [[0.5]]
    np.testing.assert_allclose(hidden_units(sums.copy(), 10.0).outputs, np.sin([[5.0, -5.0]]))
