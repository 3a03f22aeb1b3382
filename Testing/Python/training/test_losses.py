"""What training minimises, against numpy's word for the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ThyroidSynthLib.training.losses import correlation_loss, latent_loss, sdf_loss


def test_the_correlation_loss_is_that_of_the_whole_table() -> None:
    rng = np.random.default_rng(0)
    fixed, trainable = rng.normal(size=(30, 3)), rng.normal(size=(30, 5))
    trainable[:, 0] += 2 * fixed[:, 1]

    together = np.corrcoef(fixed.T, trainable.T)[:3, 3:]

    loss = correlation_loss(torch.from_numpy(fixed), torch.from_numpy(trainable))
    assert float(loss) == pytest.approx(np.abs(together).mean(axis=1).sum(), rel=1e-6)


def test_one_shape_or_a_constant_feature_has_no_correlation_and_no_nan() -> None:
    for fixed in (torch.zeros(1, 3), torch.ones(8, 3)):
        trainable = torch.randn(len(fixed), 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
        loss = correlation_loss(fixed, trainable)
        loss.backward()
        assert loss.item() == 0.0
        assert torch.isfinite(trainable.grad).all()


def test_squared_error_and_squared_length() -> None:
    assert float(sdf_loss(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0]))) == 2.5
    assert float(latent_loss(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))) == 13.0
