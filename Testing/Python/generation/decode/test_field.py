"""A field equals the network with its code, and its derivatives equal those of PyTorch's autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.model.trained_model import TrainedModel


def by_network(model: TrainedModel, points: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    values = torch.cat([points, codes], dim=1)
    *hidden, last = [[torch.from_numpy(part) for part in (layer.weight, layer.bias)] for layer in model.network.layers]
    for weight, bias in hidden:
        values = torch.relu(torch.nn.functional.linear(values, weight, bias))
    return torch.nn.functional.linear(values, *last)[:, 0]


def test_field_equals_the_network_with_the_code_at_every_point(small_model: TrainedModel) -> None:
    # More points than one chunk, and not a multiple of its size.
    points = np.random.default_rng(0).uniform(-1, 1, (9001, 3))
    code = small_model.codes[3]

    values = Field(small_model, code)(points)

    codes = torch.from_numpy(code).float().expand(len(points), -1)
    expected = by_network(small_model, torch.from_numpy(points).float(), codes)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected.numpy(), atol=2e-6)


def test_derivatives_equal_those_of_autograd(small_model: TrainedModel) -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform(-1, 1, (5000, 3))).float().requires_grad_()
    code = small_model.codes[5] + 0.1 * rng.standard_normal(small_model.code_size)
    codes = torch.from_numpy(code).float().expand(len(points), -1).clone().requires_grad_()

    values, space, by_code = Field(small_model, code).derivatives(points.detach().numpy())

    expected = by_network(small_model, points, codes)
    expected.sum().backward()
    np.testing.assert_allclose(values, expected.detach().numpy(), atol=2e-6)
    # At points close to the kink of a unit, rounding decides whether it is active.
    for found, reference in ((space, points.grad.numpy()), (by_code, codes.grad.numpy())):
        assert found.shape == reference.shape
        wrong = ~np.isclose(found, reference, atol=1e-4).all(axis=1)
        assert wrong.mean() < 1e-3


def test_an_empty_list_of_points_gives_empty_results(small_model: TrainedModel) -> None:
    field = Field(small_model, small_model.codes[0])

    assert field(np.empty((0, 3))).shape == (0,)
    assert [part.shape for part in field.derivatives(np.empty((0, 3)))] == [(0,), (0, 3), (0, small_model.code_size)]


def test_a_code_of_wrong_length_raises(small_model: TrainedModel) -> None:
    with pytest.raises(ValueError, match=f"have {small_model.code_size} numbers; got shape"):
        Field(small_model, np.zeros(small_model.code_size + 1))


def test_results_are_bitwise_equal_on_one_and_two_threads(small_model: TrainedModel) -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (20003, 3))
    field = Field(small_model, small_model.codes[2])
    with computing_on(1):
        one = field(points), *field.derivatives(points)
    with computing_on(2):
        two = field(points), *field.derivatives(points)

    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
