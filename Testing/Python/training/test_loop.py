"""Training lowers its losses, repeats bit for bit, and resumes where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import Cancelled, ModelError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.settings import VARIANTS, TrainingSettings
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.device import choose_device
from ThyroidSynthLib.training.loop import EpochReport, train
from ThyroidSynthLib.training.losses import correlation_loss


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("training") / "cohort", cases=5, samples_per_shape=500)


def small(variant: str = "fixed", **overrides) -> TrainingSettings:
    choices = {"epochs": 6, "samples_per_shape": 60, "shapes_per_step": 2, "hidden_width": 16}
    return settings_for("fast", variant, **(choices | {"latent_size": 4, "mirrored_size": 0} | overrides))


def trained(cohort: Cohort, settings: TrainingSettings, **options) -> tuple[TrainedModel, list[EpochReport]]:
    reports: list[EpochReport] = []
    return train(cohort, settings, device="cpu", on_epoch=reports.append, **options), reports


def assert_same_model(first: TrainedModel, second: TrainedModel) -> None:
    np.testing.assert_array_equal(first.latent_table, second.latent_table)
    for name, value in first.network.arrays().items():
        np.testing.assert_array_equal(value, second.network.arrays()[name], err_msg=name)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_every_variant_halves_its_sdf_loss(cohort: Cohort, variant: str, preset: str) -> None:
    settings = replace(small(variant, epochs=30), preset=preset, learning_rate=3e-3, latent_learning_rate=3e-3)

    model, reports = trained(cohort, settings)

    assert reports[-1].losses["sdf"] < 0.5 * reports[0].losses["sdf"]
    assert [report.epoch for report in reports] == list(range(1, 31))
    assert ("correlation" in reports[0].losses) == (variant == "correlation")
    assert model.variant == variant
    assert model.code_size == model.network.code_size
    assert model.conditioning.size == {"baseline": 0}.get(variant, 4)
    assert model.ids == cohort.ids
    assert model.synthetic


def test_fewer_samples_on_the_surface_give_a_steeper_field_there(cohort: Cohort) -> None:
    slopes = []
    for share in (None, 0.3):
        model, _ = trained(cohort, small(epochs=80, surface_share=share, hidden_width=32, learning_rate=3e-3))
        on_surface = cohort.samples[0][cohort.samples[0][:, 3] == 0, :3]
        _, gradient, _ = model.network.derivatives(on_surface, model.network.fold(model.codes[0].astype(np.float32)))
        slopes.append(float(np.median(np.linalg.norm(gradient, axis=1))))

    assert slopes[1] > 1.3 * slopes[0]


def test_a_report_has_the_pace_the_remaining_time_and_the_total_loss(cohort: Cohort) -> None:
    _, reports = trained(cohort, small())

    assert reports[-1].eta_s == 0.0
    assert reports[0].eta_s == pytest.approx(5 * reports[0].seconds)
    assert reports[0].samples_per_second == pytest.approx(300 / reports[0].seconds)
    assert reports[0].loss == pytest.approx(
        reports[0].losses["sdf"] + small().latent_weight * reports[0].losses["latent"], rel=1e-4
    )


def test_the_same_seed_gives_the_same_model_bit_for_bit_and_another_seed_does_not(cohort: Cohort) -> None:
    torch.manual_seed(1)
    first, _ = trained(cohort, small())
    torch.manual_seed(2)
    again, _ = trained(cohort, small())
    other, _ = trained(cohort, small(seed=1))

    assert_same_model(first, again)
    assert not np.array_equal(first.latent_table, other.latent_table)


def test_training_does_not_change_the_global_random_state(cohort: Cohort) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(cohort, small(epochs=1))

    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stop_after", [1, 4])
def test_a_stopped_and_resumed_training_equals_an_uninterrupted_one_bit_for_bit(
    cohort: Cohort, tmp_path: Path, variant: str, stop_after: int
) -> None:
    uninterrupted, expected = trained(cohort, small(variant))
    checkpoint = tmp_path / "checkpoint.safetensors"
    reports: list[EpochReport] = []

    with pytest.raises(Cancelled, match=f"after epoch {stop_after} of 6"):
        train(
            cohort,
            small(variant),
            device="cpu",
            checkpoint_path=checkpoint,
            on_epoch=reports.append,
            should_stop=lambda: len(reports) == stop_after,
        )
    resumed, later = trained(cohort, small(variant), checkpoint_path=checkpoint)

    assert [report.losses for report in (*reports, *later)] == [report.losses for report in expected]
    assert_same_model(uninterrupted, resumed)


def test_a_training_with_mirrored_dimensions_resumes_bit_for_bit(cohort: Cohort, tmp_path: Path) -> None:
    settings = small(mirrored_size=2)
    uninterrupted, _ = trained(cohort, settings)

    with pytest.raises(Cancelled):
        train(cohort, settings, device="cpu", checkpoint_path=tmp_path / "c", should_stop=lambda: True)

    assert_same_model(uninterrupted, trained(cohort, settings, checkpoint_path=tmp_path / "c")[0])


def test_resuming_a_finished_training_returns_its_model_and_losses(cohort: Cohort, tmp_path: Path) -> None:
    first, _ = trained(cohort, small(), checkpoint_path=tmp_path / "checkpoint")

    again, reports = trained(cohort, small(), checkpoint_path=tmp_path / "checkpoint")

    assert reports == []
    assert_same_model(first, again)
    assert again.provenance == first.provenance


def test_a_checkpoint_is_written_when_its_interval_has_passed(cohort: Cohort, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    written: list[bool] = []

    train(
        cohort,
        small(epochs=3),
        device="cpu",
        checkpoint_path=path,
        checkpoint_every_s=0.0,
        on_epoch=lambda report: written.append(path.exists()),
    )

    assert written == [False, True, True]


def test_a_stop_during_the_last_epoch_still_returns_the_model(cohort: Cohort) -> None:
    model, reports = trained(cohort, small(epochs=1), should_stop=lambda: True)

    assert len(reports) == 1
    assert model.provenance["training"]["epochs"] == 1


def test_a_checkpoint_of_other_settings_or_another_cohort_is_refused(cohort: Cohort, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    trained(cohort, small(epochs=1), checkpoint_path=checkpoint)

    with pytest.raises(ModelError, match=r"checkpoint\.safetensors.*other settings"):
        trained(cohort, small(epochs=2), checkpoint_path=checkpoint)
    other = write_tiny_cohort(tmp_path / "other", cases=5, samples_per_shape=500, seed=9)
    with pytest.raises(ModelError, match=r"checkpoint\.safetensors.*another cohort"):
        trained(other, small(epochs=1), checkpoint_path=checkpoint)


def test_a_damaged_checkpoint_is_refused_with_its_name(cohort: Cohort, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    trained(cohort, small(epochs=1), checkpoint_path=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])

    with pytest.raises(ModelError, match=r"checkpoint\.safetensors"):
        trained(cohort, small(epochs=1), checkpoint_path=checkpoint)


def test_the_correlation_variant_lowers_the_correlation_of_the_whole_table(cohort: Cohort) -> None:
    def correlation_of(settings: TrainingSettings) -> float:
        model, _ = trained(cohort, settings)
        fixed = torch.from_numpy(model.conditioning.encode(model.features)).float()
        return float(correlation_loss(fixed, torch.from_numpy(model.latent_table)))

    strong = small("correlation", epochs=40, correlation_weight=1e-2)

    assert correlation_of(strong) < 0.8 * correlation_of(small("fixed", epochs=40))


def test_a_cohort_of_one_case_gives_finite_losses_and_codes(tmp_path: Path) -> None:
    one = write_tiny_cohort(tmp_path / "one", cases=1, samples_per_shape=200)

    for variant in VARIANTS:
        model, reports = trained(one, small(variant, epochs=2))
        assert np.isfinite(reports[-1].loss)
        assert np.isfinite(model.codes).all()


def test_an_unknown_or_missing_device_is_refused_with_its_name() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ModelError, match="abacus"):
        choose_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="finds no CUDA GPU"):
            choose_device("cuda:1")
