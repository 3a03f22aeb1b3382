"""The CPU engine computes what automatic differentiation computes, whatever the number of threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.settings import TrainingSettings
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.training import optimiser as optimiser_module
from ThyroidSynthLib.training.cpu_engine import cpu_sdf_loss
from ThyroidSynthLib.training.loop import train
from ThyroidSynthLib.training.losses import SDFLoss, sdf_loss
from ThyroidSynthLib.training.network import TrainableNetwork

SMALL = {"epochs": 8, "samples_per_shape": 60, "hidden_width": 24, "latent_size": 5}
MIRRORED = settings_for("fast", "fixed", shapes_per_step=2, mirrored_size=2, **SMALL)


def loss_and_gradients(
    loss_function: SDFLoss, hidden_layers: int = 3, *, omega: float | None = None, scale: float = 1.0
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the loss of a random network and its gradients by `folded` and all parameters."""
    torch.manual_seed(hidden_layers)
    network = TrainableNetwork(9, hidden_layers, 32, omega)
    samples = torch.randn(3, 2500, 4) * 0.5
    before = samples.clone()
    folded = network.fold(torch.randn(3, 9)).detach().requires_grad_()

    loss = loss_function(network, samples, folded)
    (scale * loss).backward()

    assert torch.equal(samples, before)
    # The first layer's bias acts through `folded` only.
    return loss.detach(), [tensor.grad for tensor in (folded, *network.parameters()) if tensor.grad is not None]


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
@pytest.mark.parametrize("scale", [1.0, 0.25])
@pytest.mark.parametrize("omega", [None, 30.0], ids=["relu", "siren"])
def test_gradients_are_those_of_automatic_differentiation(
    hidden_layers: int, omega: float | None, scale: float
) -> None:
    expected_loss, expected = loss_and_gradients(sdf_loss, hidden_layers, omega=omega, scale=scale)

    loss, gradients = loss_and_gradients(cpu_sdf_loss, hidden_layers, omega=omega, scale=scale)

    torch.testing.assert_close(loss, expected_loss)
    assert len(gradients) == len(expected) == 2 + 2 * hidden_layers
    for gradient, expected_gradient in zip(gradients, expected, strict=True):
        # omega multiplies rounding errors, too.
        rounding = {} if omega is None else {"rtol": 1e-4, "atol": 5e-5}
        torch.testing.assert_close(gradient, expected_gradient, **rounding)


@pytest.mark.parametrize("omega", [None, 30.0], ids=["relu", "siren"])
def test_gradients_are_the_same_bits_on_one_thread_and_on_two(omega: float | None) -> None:
    with computing_on(1):
        loss_on_one, on_one = loss_and_gradients(cpu_sdf_loss, omega=omega)
    with computing_on(2):
        loss_on_two, on_two = loss_and_gradients(cpu_sdf_loss, omega=omega)

    assert torch.equal(loss_on_one, loss_on_two)
    assert all(torch.equal(first, second) for first, second in zip(on_one, on_two, strict=True))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Nine cases: with two shapes per step the last step of an epoch has one."""
    return write_tiny_cohort(tmp_path_factory.mktemp("engine") / "cohort", cases=9, samples_per_shape=300)


@pytest.mark.parametrize(
    "settings",
    [
        MIRRORED,
        replace(MIRRORED, mirrored_size=0, surface_share=None),
        replace(MIRRORED, mirrored_size=MIRRORED.latent_size, variant="correlation", correlation_weight=1e-3),
        settings_for("paper", "fixed", **SMALL),
        settings_for("paper", "baseline", **SMALL),
        replace(MIRRORED, activation="siren", omega=10.0, learning_rate=1e-3),
    ],
    ids=["mirrored", "not mirrored", "correlation", "published", "published baseline", "siren"],
)
@pytest.mark.parametrize("whole_table", [0, 4096], ids=["drawn codes", "whole table"])
def test_training_has_the_losses_and_codes_of_automatic_differentiation(
    cohort: Cohort, monkeypatch: pytest.MonkeyPatch, settings: TrainingSettings, whole_table: int
) -> None:
    monkeypatch.setattr(optimiser_module, "WHOLE_TABLE", whole_table)
    curves, tables = [], []
    for loss_function in (sdf_loss, cpu_sdf_loss):
        curve: list[list[float]] = []
        model = train(
            cohort,
            settings,
            device="cpu",
            on_epoch=lambda report, curve=curve: curve.append([report.loss, *report.losses.values()]),
            loss_function=loss_function,
        )
        curves.append(curve)
        tables.append(model.latent_table)

    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)
    np.testing.assert_allclose(tables[1], tables[0], atol=2e-5)
    assert curves[0][-1][1] < curves[0][0][1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_has_the_losses_of_a_cpu(cohort: Cohort) -> None:
    curves = []
    for device in ("cpu", "cuda"):
        curve: list[float] = []
        train(cohort, MIRRORED, device=device, on_epoch=lambda report, curve=curve: curve.append(report.loss))
        curves.append(curve)

    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)
