"""What training minimises (paper, equations 3 and 4)."""

from __future__ import annotations

import torch


def sdf_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the signed distance, the first term of equation 3."""
    return torch.mean((predicted - target) ** 2)


def latent_loss(codes: torch.Tensor) -> torch.Tensor:
    """Mean squared length of the trainable codes (n, k), the second term of equation 3 without its weight."""
    return torch.mean(torch.sum(codes**2, dim=-1))


def correlation_loss(fixed: torch.Tensor, trainable: torch.Tensor) -> torch.Tensor:
    """Mean absolute Pearson correlation between fixed and trainable dimensions (equation 4).

    Taken over the whole latent table: over a batch of one shape, as in the authors' code, every
    correlation is 0 by definition and the term has no effect (trap 1).

    Parameters
    ----------
    fixed : Tensor, shape (n, f)
    trainable : Tensor, shape (n, k)

    Returns
    -------
    Tensor
        Sum over the fixed dimensions of the mean over the trainable ones, as published for each
        fixed feature.
    """
    a = fixed - fixed.mean(dim=0)
    b = trainable - trainable.mean(dim=0)
    covariance = a.T @ b / len(a)
    spread = a.std(dim=0, unbiased=False)[:, None] * b.std(dim=0, unbiased=False)[None, :]
    return torch.sum(torch.mean(torch.abs(covariance / (spread + 1e-8)), dim=1))
