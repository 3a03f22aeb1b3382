"""The loss terms that training minimises (paper, equations 3 and 4).

In `loop`, each step minimises the SDF loss plus the weighted latent loss, and the variant `correlation` takes one
more step per epoch on the weighted correlation loss. On a CPU `cpu_engine` computes the SDF loss and its gradients
faster.
"""

from __future__ import annotations

from typing import Protocol

import torch

from .network import TrainableNetwork


class SDFLoss(Protocol):
    """An implementation of the SDF loss: `sdf_loss`, or one that returns the same value and gradients faster."""

    def __call__(self, network: TrainableNetwork, samples: torch.Tensor, folded: torch.Tensor) -> torch.Tensor:
        """Compute the loss, differentiable with respect to the network's parameters and `folded`."""


def sdf_loss(network: TrainableNetwork, samples: torch.Tensor, folded: torch.Tensor) -> torch.Tensor:
    """Compute the mean squared error of the signed distance, the first term of equation 3.

    Samples (shapes, samples, 4) are positions and signed distances in the `unit` frame; `folded` (shapes, width) is
    `TrainableNetwork.fold` of each shape's code.
    """
    return torch.mean((network(samples[..., :3], folded) - samples[..., 3]) ** 2)


def latent_loss(codes: torch.Tensor) -> torch.Tensor:
    """Compute the mean squared length of trainable codes (n, k), the second term of equation 3 without its weight."""
    return torch.mean(torch.sum(codes**2, dim=-1))


def correlation_loss(fixed: torch.Tensor, trainable: torch.Tensor) -> torch.Tensor:
    """Compute the mean absolute Pearson correlation between fixed (n, f) and trainable (n, k) dimensions (equation 4).

    It must be computed over the whole latent table. Over a batch of one shape, as in the authors' code, every
    correlation is 0 by definition and the term has no effect. The result is the sum over the fixed dimensions of the
    mean over the trainable ones, separately for each fixed feature as published.
    """
    a = fixed - fixed.mean(dim=0)
    b = trainable - trainable.mean(dim=0)
    covariance = a.T @ b / len(a)
    spread = a.std(dim=0, unbiased=False)[:, None] * b.std(dim=0, unbiased=False)[None, :]
    return torch.sum(torch.mean(torch.abs(covariance / (spread + 1e-8)), dim=1))
