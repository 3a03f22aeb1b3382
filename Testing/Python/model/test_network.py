"""The network is that of the paper, with the code's part of the first layer computed once."""

from __future__ import annotations

import torch
from torch import nn

from ThyroidSynthLib.model.network import SDFNetwork


def test_a_folded_code_gives_the_values_of_a_code_concatenated_to_every_point() -> None:
    torch.manual_seed(0)
    network = SDFNetwork(latent_size=6, hidden_layers=3, hidden_width=32)
    points, codes = torch.randn(4, 50, 3), torch.randn(4, 6)

    values = torch.cat([points, codes[:, None].expand(-1, 50, -1)], dim=-1)
    for layer in network.layers[:-1]:
        values = torch.relu(layer(values))
    expected = network.layers[-1](values)[..., 0]

    torch.testing.assert_close(network(points, network.fold(codes)), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(network(points[2], network.fold(codes[2])), expected[2], atol=1e-6, rtol=1e-5)


def test_the_default_size_is_as_published() -> None:
    layers = SDFNetwork(latent_size=67).layers

    assert [(layer.in_features, layer.out_features) for layer in layers] == [
        (70, 256),
        (256, 256),
        (256, 256),
        (256, 1),
    ]
    assert all(isinstance(layer, nn.Linear) for layer in layers)
