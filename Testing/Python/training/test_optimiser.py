"""In a large cohort the optimiser moves only the codes of a step's shapes, and the loss falls as far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.training import optimiser as optimiser_module
from ThyroidSynthLib.training.loop import train
from ThyroidSynthLib.training.optimiser import Optimiser

SETTINGS = settings_for(
    "fast",
    "fixed",
    epochs=60,
    shapes_per_step=4,
    samples_per_shape=200,
    hidden_width=32,
    latent_size=6,
    mirrored_size=2,
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("optimiser") / "cohort", cases=20, samples_per_shape=500)


@pytest.fixture
def large(monkeypatch) -> None:
    """Treat every cohort as large."""
    monkeypatch.setattr(optimiser_module, "WHOLE_TABLE", 1)


def optimiser(**choices) -> tuple[Optimiser, torch.nn.Parameter]:
    latent = torch.nn.Parameter(torch.ones(6, 3))
    return Optimiser(torch.nn.Linear(2, 2), latent, replace(SETTINGS, **choices)), latent


def step(moved: Optimiser, rows: list[int]) -> None:
    moved.zero_grad()
    for parameter in moved.parameters[:-1]:
        parameter.grad = torch.ones_like(parameter)
    moved.set_code_gradients(torch.tensor(rows), torch.ones(len(rows), 3))
    moved.step()


def test_only_the_codes_of_the_drawn_shapes_move_in_a_large_cohort(large) -> None:
    moved, latent = optimiser()
    moved.begin_epoch(0)
    step(moved, [1, 4])
    step(moved, [0])
    assert moved.drawn_only
    assert (latent.detach() != 1).any(dim=1).tolist() == [True, True, False, False, True, False]


def test_all_codes_move_unless_the_settings_allow_otherwise_and_no_loss_concerns_the_whole_table(large) -> None:
    for choices in ({"drawn_codes_only": False}, {"correlation_weight": 1e-5}):
        moved, latent = optimiser(**choices)
        step(moved, [1])
        after = latent.detach().clone()
        step(moved, [0])
        assert not moved.drawn_only
        assert (latent.detach()[1] != after[1]).all()  # by its momentum


def test_the_paper_preset_moves_the_whole_table() -> None:
    assert not settings_for("paper", "fixed").drawn_codes_only


def test_a_code_drawn_at_every_step_moves_as_with_the_whole_table(large) -> None:
    (drawn, some), (whole, all_) = optimiser(), optimiser(drawn_codes_only=False)
    for _ in range(5):
        step(drawn, [2, 3])
        step(whole, [2, 3])
    torch.testing.assert_close(some[2:4], all_[2:4], rtol=0, atol=1e-7)


def test_a_restored_optimiser_takes_the_same_step(large) -> None:
    first, latent = optimiser()
    step(first, [1, 2])
    second, other = optimiser()
    second.restore({name: value.clone() for name, value in first.state().items()})
    with torch.no_grad():
        for mine, theirs in zip(second.parameters, first.parameters, strict=True):
            mine.copy_(theirs)
    for each in (first, second):
        step(each, [2])
    torch.testing.assert_close(other, latent, rtol=0, atol=0)


def test_moving_drawn_codes_only_resumes_bit_for_bit_and_reaches_nearly_the_same_loss(
    cohort: Cohort, large, tmp_path, monkeypatch
) -> None:
    losses: list[float] = []
    straight = train(cohort, SETTINGS, device="cpu", on_epoch=lambda report: losses.append(report.loss))

    epochs = iter(range(200))
    with pytest.raises(Cancelled):
        train(cohort, SETTINGS, device="cpu", checkpoint_path=tmp_path / "c", should_stop=lambda: next(epochs) >= 25)
    resumed = train(cohort, SETTINGS, device="cpu", checkpoint_path=tmp_path / "c")
    np.testing.assert_array_equal(resumed.latent_table, straight.latent_table)

    monkeypatch.setattr(optimiser_module, "WHOLE_TABLE", 4096)
    whole: list[float] = []
    train(cohort, SETTINGS, device="cpu", on_epoch=lambda report: whole.append(report.loss))
    assert losses[-1] < 0.8 * losses[0]
    assert losses[-1] < 1.15 * whole[-1]
