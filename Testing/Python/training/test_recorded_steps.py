"""Steps as a GPU takes them, recorded and replayed, learn what a processor's steps learn.

Here a tape stands in for CUDA graphs; the steps are the very ones that a GPU takes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.tape_recorder import TapeRecorder
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.model.presets import TrainingSettings, settings_for
from ThyroidSynthLib.model.shape_model import ShapeModel
from ThyroidSynthLib.training import optimiser as optimiser_module
from ThyroidSynthLib.training import recorded_steps
from ThyroidSynthLib.training.device_step import table_of
from ThyroidSynthLib.training.draws import draw_steps
from ThyroidSynthLib.training.loop import seconds_per_epoch, train

EPOCHS = 8
SMALL = {"epochs": EPOCHS, "samples_per_shape": 60, "hidden_width": 24, "latent_size": 5}
MIRRORED = settings_for("fast", "fixed", shapes_per_step=2, mirrored_size=2, **SMALL)
PUBLISHED = settings_for("paper", "fixed", **SMALL)


class Refusing(TapeRecorder):
    """Lets the same steps be taken one by one."""

    def record(self, work):
        raise RuntimeError("not asked for")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Nine cases: in steps of two the last one of an epoch is short."""
    return write_tiny_cohort(tmp_path_factory.mktemp("recorded") / "cohort", cases=9, samples_per_shape=300)


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several recordings an epoch: with steps of two shapes twice 2, 2 and once 1."""
    monkeypatch.setattr(recorded_steps, "STEPS_AT_ONCE", 2)


def learned(cohort: Cohort, settings: TrainingSettings, **options) -> tuple[ShapeModel, list[dict[str, float]]]:
    curve: list[dict[str, float]] = []
    model = train(
        cohort, settings, device="cpu", on_epoch=lambda r: curve.append({"total": r.loss, **r.losses}), **options
    )
    return model, curve


def assert_same_curves(found: list[dict[str, float]], wanted: list[dict[str, float]], **close) -> None:
    assert [losses.keys() for losses in found] == [losses.keys() for losses in wanted]
    for name in wanted[0]:
        curves = [[losses[name] for losses in curve] for curve in (found, wanted)]
        np.testing.assert_allclose(*curves, err_msg=name, **close)


@pytest.mark.parametrize(
    "settings",
    [
        MIRRORED,
        replace(MIRRORED, mirrored_size=0, surface_share=None),
        replace(MIRRORED, mirrored_size=MIRRORED.latent_size, variant="correlation", correlation_weight=1e-3),
        PUBLISHED,
        settings_for("paper", "baseline", **SMALL),
    ],
    ids=["mirrored", "not mirrored", "correlation", "published", "published baseline"],
)
def test_replayed_steps_follow_the_curve_of_a_processors(cohort: Cohort, settings: TrainingSettings) -> None:
    expected_model, wanted = learned(cohort, settings)
    recorder = TapeRecorder()

    model, curve = learned(cohort, settings, recorder=recorder)

    assert recorder.recorded == 2
    assert recorder.replayed >= 2 * EPOCHS
    assert_same_curves(curve, wanted, rtol=1e-4)
    np.testing.assert_allclose(model.latent_table, expected_model.latent_table, atol=2e-5)
    assert curve[-1]["sdf"] < curve[0]["sdf"]
    # And bit for bit that of the same steps taken as they are written: a replay forgets and doubles nothing.
    one_by_one, unrecorded = learned(cohort, settings, recorder=Refusing())
    assert_same_curves(curve, unrecorded, rtol=0)
    np.testing.assert_array_equal(model.latent_table, one_by_one.latent_table)


def test_so_they_do_where_only_drawn_codes_move(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimiser_module, "WHOLE_TABLE", 1)
    _, wanted = learned(cohort, MIRRORED)

    _, curve = learned(cohort, MIRRORED, recorder=TapeRecorder())

    assert_same_curves(curve, wanted, rtol=1e-4)


@pytest.mark.parametrize("large", [False, True], ids=["whole table", "drawn codes"])
def test_a_training_goes_on_from_a_gpu_to_a_processor_and_back(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(optimiser_module, "WHOLE_TABLE", 1 if large else 4096)
    _, wanted = learned(cohort, MIRRORED)
    curve: list[dict[str, float]] = []

    # Stopped after two epochs each time.
    for recorder in (TapeRecorder(), None, TapeRecorder(), None):
        stop = iter([False, True])
        with suppress(Cancelled):
            train(
                cohort,
                MIRRORED,
                device="cpu",
                checkpoint_path=tmp_path / "checkpoint",
                on_epoch=lambda r: curve.append({"total": r.loss, **r.losses}),
                should_stop=lambda stop=stop: next(stop),
                recorder=recorder,
            )

    assert len(curve) == EPOCHS
    assert_same_curves(curve, wanted, rtol=1e-4)


def test_a_part_of_a_cohort_is_learned_too(cohort: Cohort) -> None:
    part = cohort.part(cohort.ids[2:7])
    _, wanted = learned(part, MIRRORED)

    _, curve = learned(part, MIRRORED, recorder=TapeRecorder())

    assert_same_curves(curve, wanted, rtol=1e-4)


def test_numbers_are_those_drawn_whatever_is_drawn_at_once(cohort: Cohort) -> None:
    draws = [list(draw_steps(np.arange(9), 300, MIRRORED, np.random.default_rng(3))) for _ in range(2)]
    table = table_of(draws[0])

    assert [len(step.shapes) for step in draws[0]] == [2, 2, 2, 2, 1]
    np.testing.assert_array_equal(table[:, 0], np.arange(9))
    np.testing.assert_array_equal(table[:, 1], np.concatenate([step.signs[:, 0] for step in draws[1]]))
    np.testing.assert_array_equal(table[:, 2:], np.concatenate([step.samples for step in draws[1]]))
    assert set(table[:, 1]) == {-1, 1}


def test_an_epoch_is_timed_by_replays(cohort: Cohort) -> None:
    recorder = TapeRecorder()
    assert seconds_per_epoch(cohort, MIRRORED, device="cpu", patience_s=0.0, recorder=recorder) > 0
    assert recorder.replayed >= 5
