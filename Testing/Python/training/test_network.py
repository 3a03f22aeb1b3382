"""The network in training is that of the paper, and the trained copy returns the same values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.training.network import TrainableNetwork


@pytest.fixture
def network() -> TrainableNetwork:
    torch.manual_seed(0)
    return TrainableNetwork(latent_size=6, hidden_layers=3, hidden_width=32)


def test_a_folded_code_gives_the_values_of_a_code_concatenated_to_every_point(network: TrainableNetwork) -> None:
    points, codes = torch.randn(4, 50, 3), torch.randn(4, 6)

    values = torch.cat([points, codes[:, None].expand(-1, 50, -1)], dim=-1)
    for layer in network.layers[:-1]:
        values = torch.relu(layer(values))
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


def test_the_trained_copy_has_the_same_values_and_no_longer_changes(network: TrainableNetwork) -> None:
    points, code = torch.randn(50, 3), torch.randn(6)
    expected = network(points, network.fold(code)).detach().numpy()

    trained = network.trained()
    with torch.no_grad():
        network.layers[0].weight.add_(1)

    folded = trained.fold(code.numpy())
    np.testing.assert_allclose(trained.values(points.numpy(), folded), expected, atol=1e-6)
    assert trained.code_size == 6


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
