"""The optimiser of a large cohort touches only the codes that were drawn, and learns as well."""

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
from ThyroidSynthLib.training.drawn_adam import DrawnAdam
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
    """Every cohort counts as large."""
    monkeypatch.setattr(optimiser_module, "WHOLE_TABLE", 1)


def optimiser(**choices) -> tuple[Optimiser, torch.nn.Parameter]:
    latent = torch.nn.Parameter(torch.ones(6, 3))
    return Optimiser(torch.nn.Linear(2, 2), latent, replace(SETTINGS, **choices)), latent


def step(moved: Optimiser, rows: list[int]) -> None:
    moved.forget()
    for parameter in moved.parameters[:-1]:
        parameter.grad = torch.ones_like(parameter)
    moved.take_codes(torch.tensor(rows), torch.ones(len(rows), 3))
    moved.step()


def test_only_the_codes_of_the_drawn_shapes_move_in_a_large_cohort(large) -> None:
    moved, latent = optimiser()
    moved.begin_epoch(0)
    step(moved, [1, 4])
    step(moved, [0])
    assert moved.drawn_only
    assert (latent.detach() != 1).any(dim=1).tolist() == [True, True, False, False, True, False]


def test_in_a_cohort_and_where_the_whole_table_has_a_loss_all_move(large) -> None:
    for choices in ({"drawn_codes_only": False}, {"correlation_weight": 1e-5}):
        moved, latent = optimiser(**choices)
        step(moved, [1])
        after = latent.detach().clone()
        step(moved, [0])
        assert not moved.drawn_only
        assert (latent.detach()[1] != after[1]).all()  # by its momentum


def test_as_published_the_whole_table_moves() -> None:
    assert not settings_for("paper", "fixed").drawn_codes_only


def test_a_code_drawn_at_every_step_moves_as_the_whole_table_does(large) -> None:
    (lazy, some), (whole, all_) = optimiser(), optimiser(drawn_codes_only=False)
    for _ in range(5):
        step(lazy, [2, 3])
        step(whole, [2, 3])
    torch.testing.assert_close(some[2:4], all_[2:4], rtol=0, atol=1e-7)


def test_drawn_codes_move_as_by_pytorchs_optimiser_for_sparse_gradients() -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 18).reshape(6, 3)) for _ in range(2))
    moved, reference = DrawnAdam(ours, lr=0.01), torch.optim.SparseAdam([theirs], lr=0.01)
    for _ in range(30):
        rows, gradients = torch.randperm(6)[:2], torch.randn(2, 3)
        moved.take(rows, gradients)
        theirs.grad = torch.sparse_coo_tensor(rows[None], gradients, theirs.shape, check_invariants=True)
        moved.step()
        reference.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_it_goes_on_from_its_state(large) -> None:
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


def test_a_large_cohort_learns_as_well_and_resumes_bit_for_bit(cohort: Cohort, large, tmp_path, monkeypatch) -> None:
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
