"""The gradients that training uses are those of the loss as published, and do not depend on the machine's threads."""

from __future__ import annotations

import pytest
import torch

from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.training.gradients import sdf_loss_gradients
from ThyroidSynthLib.training.losses import sdf_loss


@pytest.fixture
def case() -> tuple[SDFNetwork, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return SDFNetwork(9, 3, 32), torch.randn(3, 700, 4) * 0.5, torch.randn(3, 9)


@pytest.mark.parametrize("hidden_layers", [1, 3])
def test_they_are_those_of_automatic_differentiation(case, hidden_layers: int):
    _, samples, codes = case
    network = SDFNetwork(9, hidden_layers, 32)
    folded = network.fold(codes).detach().requires_grad_()
    wanted = sdf_loss(network(samples[..., :3], folded), samples[..., 3])
    wanted.backward()

    found = sdf_loss_gradients(network, samples, folded.detach())

    torch.testing.assert_close(found.loss, wanted.detach())
    torch.testing.assert_close(found.folded, folded.grad)
    for layer, (weight, bias) in zip(network.layers, found.layers, strict=True):
        torch.testing.assert_close(weight, layer.weight.grad[:, : weight.shape[1]])
        if bias is not None:
            torch.testing.assert_close(bias, layer.bias.grad)


def test_they_are_the_same_bits_on_one_thread_and_on_two(case):
    network, samples, codes = case
    folded = network.fold(codes).detach()
    with computing_on(1):
        one = sdf_loss_gradients(network, samples, folded)
    with computing_on(2):
        two = sdf_loss_gradients(network, samples, folded)

    assert torch.equal(one.loss, two.loss) and torch.equal(one.folded, two.folded)
    for (first, _), (second, _) in zip(one.layers, two.layers, strict=True):
        assert torch.equal(first, second)
