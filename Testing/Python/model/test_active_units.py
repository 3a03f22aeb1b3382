"""Leaving inactive units out changes no value, even if a whole layer is inactive or a value is NaN."""

from __future__ import annotations

import pytest
import torch

from ThyroidSynthLib.model.active_units import Active, Layer


def layer_of(inputs: int, outputs: int) -> Layer:
    linear = torch.nn.Linear(inputs, outputs)
    return Layer.of(linear.weight, linear.bias)


@pytest.fixture
def layer() -> Layer:
    torch.manual_seed(0)
    return layer_of(6, 4)


def test_units_that_are_0_at_every_point_are_left_out(layer: Layer) -> None:
    sums = torch.tensor([[1.0, -1.0, 0.0, 2.0, -3.0, -1.0], [-1.0, -2.0, 0.0, 3.0, 4.0, -5.0]])

    active = Active.of(sums)

    assert active.units.tolist() == [0, 3, 4]
    assert active.outputs.tolist() == [[1, 2, 0], [0, 3, 4]]
    expected = torch.relu(torch.relu(sums) @ layer.weight.T + layer.bias)
    after = active.into(layer)
    torch.testing.assert_close(after.outputs, expected[:, after.units])
    assert (expected.sum(dim=0) > 0).nonzero()[:, 0].tolist() == after.units.tolist()


def test_after_an_inactive_layer_only_biases_remain(layer: Layer) -> None:
    dead = Active.of(-torch.ones(5, 6))
    last = layer_of(6, 1)

    assert len(dead.units) == 0
    torch.testing.assert_close(dead.value(last), last.bias.expand(5))
    after = dead.into(layer)
    torch.testing.assert_close(after.outputs, torch.relu(layer.bias).expand(5, -1)[:, after.units])


def test_nan_is_not_left_out(layer: Layer) -> None:
    sums = torch.full((3, 6), -1.0)
    sums[1, 2] = torch.nan

    assert Active.of(sums).units.tolist() == [2]
    assert torch.isnan(Active.of(sums).into(layer).outputs[1]).all()
