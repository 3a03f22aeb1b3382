"""The network f(x, z) that represents every shape of the cohort (paper, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import nn


class SDFNetwork(nn.Module):
    """A multilayer perceptron from a point and a latent code to a signed distance; its `layers` are a `ModuleList`.

    The paper concatenates the code to every point. The first layer is linear, so the code's part of it is the same
    for all points of a shape: it is computed once per shape and added as a bias. `latent_size` counts the dimensions of
    the whole code, fixed and trainable.
    """

    def __init__(self, latent_size: int, hidden_layers: int = 3, hidden_width: int = 256) -> None:
        super().__init__()
        widths = [3 + latent_size] + [hidden_width] * hidden_layers + [1]
        # A ModuleList does not know the type of its modules.
        self.layers = cast(Sequence[nn.Linear], nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths)))

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
        hidden = torch.relu(nn.functional.linear(points, first.weight[:, :3]) + folded.unsqueeze(-2))
        for layer in self.layers[1:-1]:
            hidden = torch.relu(layer(hidden))
        return self.layers[-1](hidden).squeeze(-1)
