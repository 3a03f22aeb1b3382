"""The network f(x, z) (paper, section 2.1) in PyTorch, for training; `model.network` is the same in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import nn

from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.settings import TrainingSettings


class TrainableNetwork(nn.Module):
    """A multilayer perceptron from a point and a latent code to a signed distance; its `layers` are a `ModuleList`.

    `latent_size` counts the dimensions of the whole code, fixed and trainable. With `omega` the hidden units are
    sine units and the weights are initialised as Sitzmann et al. (2020) publish; without, they are ReLU units.
    """

    def __init__(
        self, latent_size: int, hidden_layers: int = 3, hidden_width: int = 256, omega: float | None = None
    ) -> None:
        super().__init__()
        self.omega = omega
        widths = [3 + latent_size] + [hidden_width] * hidden_layers + [1]
        # A ModuleList does not know the type of its modules.
        self.layers = cast(Sequence[nn.Linear], nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths)))
        if omega is not None:
            _initialise_sines(self.layers, omega)

    @classmethod
    def for_settings(cls, settings: TrainingSettings, fixed_size: int) -> TrainableNetwork:
        """Return a network with random weights, of the size that the settings and the fixed dimensions require."""
        return cls(
            fixed_size + settings.latent_size, settings.hidden_layers, settings.hidden_width, settings.sine_omega
        )

    def trained(self) -> SDFNetwork:
        """Return a copy of the present weights, for evaluation."""
        return SDFNetwork.of([(_copy(layer.weight), _copy(layer.bias)) for layer in self.layers], self.omega)

    def fold(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the code's part of the first layer, shape (..., width), for codes of shape (..., latent_size)."""
        first = self.layers[0]
        return nn.functional.linear(codes, first.weight[:, 3:], first.bias)

    def forward(self, points: torch.Tensor, folded: torch.Tensor) -> torch.Tensor:
        """Compute signed distances in the `unit` frame, negative inside, shape (shapes, points) or (points,).

        Parameters
        ----------
        points : Tensor, shape (shapes, points, 3) or (points, 3)
            Positions in the `unit` frame.
        folded : Tensor, shape (shapes, width) or (width,)
            `fold` of each shape's code.
        """
        first = self.layers[0]
        hidden = self._activated(nn.functional.linear(points, first.weight[:, :3]) + folded.unsqueeze(-2))
        for layer in self.layers[1:-1]:
            hidden = self._activated(layer(hidden))
        return self.layers[-1](hidden).squeeze(-1)

    def _activated(self, sums: torch.Tensor) -> torch.Tensor:
        return torch.relu(sums) if self.omega is None else torch.sin(self.omega * sums)


def _initialise_sines(layers: Sequence[nn.Linear], omega: float) -> None:
    """Draw the weights so that the angles of every layer have a similar spread (Sitzmann et al. 2020 and their code).

    The biases stay as PyTorch draws them, as there.
    """
    with torch.no_grad():
        for number, layer in enumerate(layers):
            inputs = layer.in_features
            bound = 1 / inputs if number == 0 else (6 / inputs) ** 0.5 / omega
            layer.weight.uniform_(-bound, bound)


def _copy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()
