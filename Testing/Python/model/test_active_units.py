"""Leaving inactive units out changes no value, even if a whole layer is inactive or a value is NaN."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.model.active_units import Active, Layer


def layer_of(inputs: int, outputs: int) -> Layer:
    rng = np.random.default_rng(outputs)
    return Layer.of(rng.normal(size=(outputs, inputs)), rng.normal(size=outputs))


@pytest.fixture
def layer() -> Layer:
    return layer_of(6, 4)


def test_units_that_are_0_at_every_point_are_left_out(layer: Layer) -> None:
    sums = np.array([[1.0, -1.0, 0.0, 2.0, -3.0, -1.0], [-1.0, -2.0, 0.0, 3.0, 4.0, -5.0]])

    active = Active.of(sums)

    assert active.units.tolist() == [0, 3, 4]
    assert active.outputs.tolist() == [[1, 2, 0], [0, 3, 4]]
    expected = np.maximum(np.maximum(sums, 0) @ layer.weight.T + layer.bias, 0)
    after = active.into(layer)
    np.testing.assert_allclose(after.outputs, expected[:, after.units])
    assert np.flatnonzero(expected.sum(axis=0) > 0).tolist() == after.units.tolist()


def test_after_an_inactive_layer_only_biases_remain(layer: Layer) -> None:
    dead = Active.of(-np.ones((5, 6)))
    last = layer_of(6, 1)

    assert len(dead.units) == 0
    np.testing.assert_allclose(dead.value(last), np.tile(last.bias, 5))
    after = dead.into(layer)
    np.testing.assert_allclose(after.outputs, np.tile(np.maximum(layer.bias, 0)[after.units], (5, 1)))


def test_nan_is_not_left_out(layer: Layer) -> None:
    sums = np.full((3, 6), -1.0)
    sums[1, 2] = np.nan

    assert Active.of(sums).units.tolist() == [2]
    assert np.isnan(Active.of(sums).into(layer).outputs[1]).all()
