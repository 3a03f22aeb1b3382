"""The coordinate network f(x, z) that holds every shape of the cohort (paper, section 2.1)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

# Codes are small numbers: these make a typical one a typical difference between glands.
STRETCH_GAIN = 4.0
SHIFT_GAIN = 2.0


def pose_dimensions(latent_size: int, fixed_size: int) -> list[int]:
    """Name the dimensions of a whole code that stretch along x, y, z and shift along x, y, z.

    They are the first five trainable ones, and for the shift along x the last one, which changes sign where
    a code's mirrored dimensions do.
    """
    first = fixed_size
    return [first, first + 1, first + 2, latent_size - 1, first + 3, first + 4]


class SDFNetwork(nn.Module):
    """A multilayer perceptron from a point and a latent code to a signed distance.

    The paper concatenates the code to every point. The first layer is linear, so the code's part of
    it is the same for all points of a shape: it is computed once a shape and added as a bias. The
    result is the same function, with a tenth less arithmetic.

    Parameters
    ----------
    latent_size : int
        Dimensions of the whole latent code, fixed and trainable.
    hidden_layers, hidden_width : int
        3 and 256 in the paper.
    posed : int or None
        Number of fixed dimensions, for a network whose codes also say how a shape is stretched and where
        it lies (see `pose_dimensions`); None as published.
    """

    def __init__(
        self, latent_size: int, hidden_layers: int = 3, hidden_width: int = 256, *, posed: int | None = None
    ) -> None:
        super().__init__()
        self.pose = None if posed is None else pose_dimensions(latent_size, posed)
        widths = [3 + latent_size] + [hidden_width] * hidden_layers + [1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def fold(self, codes: torch.Tensor) -> torch.Tensor:
        """Give the first layer's part that depends on the codes (..., latent), shape (..., width)."""
        first = self.layers[0]
        return nn.functional.linear(codes, first.weight[:, 3:], first.bias)

    def place(self, points: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Bring points (..., points, 3) of the `unit` frame into the frame of each shape of codes (..., latent)."""
        if self.pose is None:
            return points
        stretch, shift = self.stretch_and_shift(codes)
        return points * stretch.unsqueeze(-2) + shift.unsqueeze(-2)

    def stretch_and_shift(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the factors and the offsets along x, y and z that codes (..., latent) say, each (..., 3)."""
        pose = codes[..., self.pose]
        return torch.exp(STRETCH_GAIN * pose[..., :3]), SHIFT_GAIN * pose[..., 3:]

    def forward(self, points: torch.Tensor, folded: torch.Tensor) -> torch.Tensor:
        """Predict signed distances in the `unit` frame.

        Parameters
        ----------
        points : Tensor, shape (shapes, points, 3) or (points, 3)
            Positions in the `unit` frame, brought into each shape's own by `place`.
        folded : Tensor, shape (shapes, width) or (width,)
            What `fold` gave for each shape's code.

        Returns
        -------
        Tensor, shape (shapes, points) or (points,)
            Signed distance, negative inside.
        """
        first = self.layers[0]
        hidden = torch.relu(nn.functional.linear(points, first.weight[:, :3]) + folded.unsqueeze(-2))
        for layer in self.layers[1:-1]:
            hidden = torch.relu(layer(hidden))
        return self.layers[-1](hidden).squeeze(-1)
