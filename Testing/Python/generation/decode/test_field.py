"""A field is the network with its code, and its hand-made derivatives are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.model.shape_model import ShapeModel
from ThyroidSynthLib.model.threads import computing_on


def by_network(model: ShapeModel, points: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    values = torch.cat([points, codes], dim=1)
    for layer in model.network.layers[:-1]:
        values = torch.relu(layer(values))
    return model.network.layers[-1](values)[:, 0]


def test_a_field_is_the_network_with_the_code_at_every_point(small_model: ShapeModel) -> None:
    # More points than are evaluated at once, and not a multiple of that number.
    points = np.random.default_rng(0).uniform(-1, 1, (9001, 3))
    code = small_model.codes[3]

    values = Field(small_model, code)(points)

    codes = torch.from_numpy(code).float().expand(len(points), -1)
    expected = by_network(small_model, torch.from_numpy(points).float(), codes)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected.numpy(), atol=2e-6)


def test_derivatives_are_those_of_automatic_differentiation(small_model: ShapeModel) -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform(-1, 1, (5000, 3))).float().requires_grad_()
    code = small_model.codes[5] + 0.1 * rng.standard_normal(small_model.code_size)
    codes = torch.from_numpy(code).float().expand(len(points), -1).clone().requires_grad_()

    values, space, by_code = Field(small_model, code).derivatives(points.detach().numpy())

    expected = by_network(small_model, points, codes)
    expected.sum().backward()
    np.testing.assert_allclose(values, expected.detach().numpy(), atol=2e-6)
    # Points where a unit is all but at its kink may count it on in one and off in the other.
    for found, wanted in ((space, points.grad.numpy()), (by_code, codes.grad.numpy())):
        assert found.shape == wanted.shape
        wrong = ~np.isclose(found, wanted, atol=1e-4).all(axis=1)
        assert wrong.mean() < 1e-3


def test_no_points_have_no_values(small_model: ShapeModel) -> None:
    field = Field(small_model, small_model.codes[0])

    assert field(np.empty((0, 3))).shape == (0,)
    assert field.derivatives(np.empty((0, 3)))[2].shape == (0, small_model.code_size)


def test_a_code_of_another_length_is_refused(small_model: ShapeModel) -> None:
    with pytest.raises(ValueError, match=f"has {small_model.code_size} numbers"):
        Field(small_model, np.zeros(small_model.code_size + 1))


def test_values_are_the_same_bits_on_one_thread_and_on_two(small_model: ShapeModel) -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (20003, 3))
    field = Field(small_model, small_model.codes[2])
    with computing_on(1):
        one = field(points), *field.derivatives(points)
    with computing_on(2):
        two = field(points), *field.derivatives(points)

    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
