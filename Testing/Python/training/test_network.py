"""The network in training is that of the paper, and the trained copy returns the same values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ThyroidSynthLib.model.active_units import Layer
from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.training.network import TrainableNetwork


@pytest.fixture(params=[None, 30.0], ids=["relu", "siren"])
def network(request: pytest.FixtureRequest) -> TrainableNetwork:
    torch.manual_seed(0)
    return TrainableNetwork(latent_size=6, hidden_layers=3, hidden_width=32, omega=request.param)


def test_a_folded_code_gives_the_values_of_a_code_concatenated_to_every_point(network: TrainableNetwork) -> None:
    points, codes = torch.randn(4, 50, 3), torch.randn(4, 6)

    values = torch.cat([points, codes[:, None].expand(-1, 50, -1)], dim=-1)
    for layer in network.layers[:-1]:
        values = torch.relu(layer(values)) if network.omega is None else torch.sin(30 * layer(values))
    expected = network.layers[-1](values)[..., 0]

    torch.testing.assert_close(network(points, network.fold(codes)), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(network(points[2], network.fold(codes[2])), expected[2], atol=1e-6, rtol=1e-5)


def test_the_default_size_is_as_published() -> None:
    layers = TrainableNetwork(latent_size=67).layers

    assert [(layer.in_features, layer.out_features) for layer in layers] == [
        (70, 256),
        (256, 256),
        (256, 256),
        (256, 1),
    ]
    assert all(isinstance(layer, nn.Linear) for layer in layers)


def test_the_weights_of_sine_units_are_initialised_as_published() -> None:
    """Sitzmann et al. (2020), section 3.2: from U(-1/n, 1/n) and U(±√(6/n)/omega), so that every layer has spread."""
    torch.manual_seed(0)
    network = TrainableNetwork(latent_size=61, hidden_layers=3, hidden_width=256, omega=30.0)

    bounds = [float(layer.weight.detach().abs().max()) for layer in network.layers]
    expected = [1 / 64, *[(6 / 256) ** 0.5 / 30] * 3]
    np.testing.assert_allclose(bounds, expected, rtol=0.02)
    assert all(bound <= limit for bound, limit in zip(bounds, expected, strict=True))
    inputs = torch.rand(2000, 256) * 2 - 1
    sums = 30 * torch.sin(inputs * torch.pi / 2) @ network.layers[1].weight.T
    assert float(sums.detach().std()) == pytest.approx(1, abs=0.1)


def test_the_trained_copy_has_the_same_values_and_no_longer_changes(network: TrainableNetwork) -> None:
    points, code = torch.randn(50, 3), torch.randn(6)
    expected = network(points, network.fold(code)).detach().numpy()

    trained = network.trained()
    with torch.no_grad():
        network.layers[0].weight.add_(1)

    folded = trained.fold(code.numpy())
    np.testing.assert_allclose(trained.values(points.numpy(), folded), expected, atol=1e-5)
    assert trained.code_size == 6
    assert trained.omega == network.omega


def test_the_network_in_numpy_has_the_derivatives_of_autograd(network: TrainableNetwork) -> None:
    torch.manual_seed(1)
    points = (torch.rand(300, 3) * 2 - 1).requires_grad_()
    codes = torch.randn(6).expand(300, 6).clone().requires_grad_()
    values = network(points[:, None], network.fold(codes))[:, 0]
    values.sum().backward()

    trained = network.trained()
    folded = trained.fold(codes[0].detach().numpy())
    found, by_position, by_code = trained.derivatives(points.detach().numpy(), folded)

    np.testing.assert_allclose(found, values.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(by_position, points.grad.numpy(), atol=1e-4)
    np.testing.assert_allclose(by_code, codes.grad.numpy(), atol=1e-4)


def test_derivatives_of_sine_units_are_the_limit_of_differences() -> None:
    torch.manual_seed(0)
    layers = TrainableNetwork(latent_size=4, hidden_layers=2, hidden_width=16, omega=30.0).trained().layers
    # In double precision, because differences of single precision have few digits.
    wide = [Layer.of(layer.weight.astype(np.float64), layer.bias.astype(np.float64)) for layer in layers]
    network = SDFNetwork(wide, np.ascontiguousarray(wide[0].weight[:, :3].T), 30.0)
    rng = np.random.default_rng(0)
    points, code, step = rng.uniform(-1, 1, (20, 3)), rng.standard_normal(4), 1e-6

    _, by_position, by_code = network.derivatives(points, network.fold(code))

    for axis in range(3):
        moved = step * np.eye(3)[axis]
        after, before = (network.values(points + sign * moved, network.fold(code)) for sign in (1, -1))
        np.testing.assert_allclose(by_position[:, axis], (after - before) / (2 * step), atol=1e-6)
    for axis in range(4):
        moved = step * np.eye(4)[axis]
        after, before = (network.values(points, network.fold(code + sign * moved)) for sign in (1, -1))
        np.testing.assert_allclose(by_code[:, axis], (after - before) / (2 * step), atol=1e-6)


def test_layers_that_do_not_fit_together_are_refused() -> None:
    fitting = [(np.ones((4, 5)), np.ones(4)), (np.ones((1, 4)), np.ones(1))]
    assert SDFNetwork.of(fitting).code_size == 2
    for wrong in (
        [(np.ones((4, 5)), np.ones(4)), (np.ones((1, 3)), np.ones(1))],
        [(np.ones((4, 5)), np.ones(3)), (np.ones((1, 4)), np.ones(1))],
        [(np.ones((4, 5)), np.ones(4)), (np.ones((2, 4)), np.ones(2))],
    ):
        with pytest.raises(ValueError, match="do not fit together"):
            SDFNetwork.of(wrong)
