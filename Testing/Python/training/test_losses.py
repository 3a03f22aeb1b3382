"""The loss terms have the values that NumPy or a short calculation gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ThyroidSynthLib.training.losses import correlation_loss, latent_loss, sdf_loss
from ThyroidSynthLib.training.network import TrainableNetwork


def test_the_correlation_loss_is_the_mean_absolute_correlation_summed_over_fixed_dimensions() -> None:
    rng = np.random.default_rng(0)
    fixed, trainable = rng.normal(size=(30, 3)), rng.normal(size=(30, 5))
    trainable[:, 0] += 2 * fixed[:, 1]

    correlations = np.corrcoef(fixed.T, trainable.T)[:3, 3:]

    loss = correlation_loss(torch.from_numpy(fixed), torch.from_numpy(trainable))
    assert float(loss) == pytest.approx(np.abs(correlations).mean(axis=1).sum(), rel=1e-6)


def test_one_shape_or_a_constant_feature_has_correlation_0_and_finite_gradients() -> None:
    for fixed in (torch.zeros(1, 3), torch.ones(8, 3)):
        trainable = torch.randn(len(fixed), 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
        loss = correlation_loss(fixed, trainable)
        loss.backward()
        assert loss.item() == 0.0
        assert torch.isfinite(trainable.grad).all()


def test_the_sdf_loss_is_the_mean_squared_error_of_the_network() -> None:
    torch.manual_seed(0)
    network = TrainableNetwork(4, 2, 8)
    points, folded = torch.randn(2, 5, 3), network.fold(torch.randn(2, 4))
    samples = torch.cat([points, network(points, folded)[..., None]], dim=-1).detach()
    samples[1, 2:4, 3] += torch.tensor([1.0, -2.0])

    assert sdf_loss(network, samples, folded).item() == pytest.approx((1.0 + 4.0) / 10)


def test_the_latent_loss_is_the_mean_squared_length() -> None:
    assert float(latent_loss(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))) == 13.0
