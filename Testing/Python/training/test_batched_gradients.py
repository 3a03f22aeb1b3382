"""The gradients of a GPU's step are those of a processor's."""

from __future__ import annotations

import pytest
import torch

from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.training.batched_gradients import batched_sdf_loss_gradients
from ThyroidSynthLib.training.gradients import sdf_loss_gradients


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
@pytest.mark.parametrize("shapes", [1, 3])
def test_they_are_those_of_chunks_one_after_the_other(hidden_layers: int, shapes: int) -> None:
    torch.manual_seed(hidden_layers)
    network = SDFNetwork(9, hidden_layers, 32)
    samples = torch.randn(shapes, 700, 4) * 0.5
    folded = network.fold(torch.randn(shapes, 9)).detach()
    before = samples.clone()

    found, wanted = (
        gradients(network, samples, folded) for gradients in (batched_sdf_loss_gradients, sdf_loss_gradients)
    )

    close = {"rtol": 2e-5, "atol": 1e-7}
    torch.testing.assert_close(found.loss, wanted.loss, **close)
    torch.testing.assert_close(found.folded, wanted.folded, **close)
    for (weight, bias), (expected_weight, expected_bias) in zip(found.layers, wanted.layers, strict=True):
        torch.testing.assert_close(weight, expected_weight, **close)
        assert (bias is None) == (expected_bias is None)
        if bias is not None:
            torch.testing.assert_close(bias, expected_bias, **close)
    assert torch.equal(samples, before)
