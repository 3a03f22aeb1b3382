"""Steps of sine units also take samples far from the surface, so that their field has no islands there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from support.analytic_shapes import ellipsoid
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.cohort_writing import write_cohort_from_surfaces
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.training import loop
from ThyroidSynthLib.training.batches import draw_batches
from ThyroidSynthLib.training.loop import train
from ThyroidSynthLib.training.samples import FAR_PER_SHAPE, TrainingSamples, far_samples

CPU = torch.device("cpu")
SINES = settings_for("fast", "fixed", activation="siren", samples_per_shape=200, shapes_per_step=2, latent_size=30)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("samples") / "cohort", cases=5, samples_per_shape=2000)


def test_far_samples_are_signed_distances_in_the_whole_box(tmp_path: Path) -> None:
    radii = 10.0, 16.0
    cohort = write_cohort_from_surfaces(
        tmp_path / "spheres", [ellipsoid((radius,) * 3) for radius in radii], ["a", "b"], samples_per_shape=200
    )

    found = far_samples(cohort, SINES)

    assert found is not None and found.dtype == np.float32 and found.shape == (2, FAR_PER_SHAPE, 4)
    np.testing.assert_allclose(found[..., :3].min(axis=(0, 1)), -1.2, atol=0.02)
    np.testing.assert_allclose(found[..., :3].max(axis=(0, 1)), 1.2, atol=0.02)
    for each, radius in zip(found, radii, strict=True):
        expected = np.linalg.norm(each[:, :3], axis=1) - radius / 16.0
        np.testing.assert_allclose(each[:, 3], expected, atol=0.03)
    np.testing.assert_array_equal(far_samples(cohort, replace(SINES, seed=7)), found)


def test_relu_units_have_none_and_draw_the_samples_they_always_drew(cohort: Cohort) -> None:
    settings = settings_for("fast", "fixed", samples_per_shape=200, shapes_per_step=2)
    assert far_samples(cohort, settings) is None

    batches = list(TrainingSamples.on(CPU, cohort, None).batches(settings, np.random.default_rng(3)))

    assert [batch.samples.shape for batch in batches] == [(2, 200), (2, 200), (1, 200)]
    assert all(batch.far is None for batch in batches)
    rng = np.random.default_rng(3)
    order = rng.permutation(5)
    np.testing.assert_array_equal(batches[0].shapes, order[:2])
    np.testing.assert_array_equal(batches[0].samples[:, :60], rng.integers(1600, size=(2, 60)))


def test_a_step_takes_a_seventh_of_its_samples_far_from_the_surface(cohort: Cohort) -> None:
    far = far_samples(cohort, SINES)
    assert far is not None
    samples = TrainingSamples.on(CPU, cohort, far)

    for batch in samples.batches(SINES, np.random.default_rng(3)):
        taken = samples.take(batch, CPU)
        assert batch.far is not None
        assert taken.shape == (len(batch.shapes), 200, 4)
        for row, shape in enumerate(batch.shapes):
            np.testing.assert_array_equal(taken[row, :170], cohort.samples[shape, batch.samples[row]])
            np.testing.assert_array_equal(taken[row, 170:], far[shape, batch.far[row]])
        part = batch.part(slice(0, 1))
        np.testing.assert_array_equal(samples.take(part, CPU), taken[:1])


def wrong_far_away(cohort: Cohort, monkeypatch: pytest.MonkeyPatch, *, with_far_samples: bool) -> float:
    """Train sine units that oscillate fast, and return the share of far points with the wrong sign."""
    settings = replace(
        SINES, omega=60.0, learning_rate=1e-3, latent_size=8, hidden_width=32, epochs=60, mirrored_size=0
    )
    with monkeypatch.context() as patch:
        if not with_far_samples:
            patch.setattr(loop, "far_samples", lambda cohort, settings: None)
        model = train(cohort, settings, device="cpu")
    points = np.random.default_rng(8).uniform(-1.1, 1.1, (4000, 3)).astype(np.float32)
    wrong = []
    for code, samples in zip(model.codes.astype(np.float32), cohort.samples, strict=True):
        nearest = np.min([np.linalg.norm(points - each, axis=1) for each in samples[:1600:20, :3]], axis=0)
        beyond = points[(nearest > 0.4) & (np.abs(points).max(axis=1) > 0.8)]
        wrong.append(np.mean(model.network.values(beyond, model.network.fold(code)) < 0))
    return float(np.mean(wrong))


def test_far_samples_keep_the_field_of_sine_units_positive_far_outside(
    cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wrong_far_away(cohort, monkeypatch, with_far_samples=True) < 0.02
    assert wrong_far_away(cohort, monkeypatch, with_far_samples=False) > 0.1


def test_a_resumed_training_of_sine_units_equals_an_uninterrupted_one_bit_for_bit(
    cohort: Cohort, tmp_path: Path
) -> None:
    settings = replace(SINES, hidden_width=16, epochs=4)
    whole = train(cohort, settings, device="cpu")
    stopped = iter([False, True])
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(loop.Cancelled):
        train(cohort, settings, device="cpu", checkpoint_path=checkpoint, should_stop=lambda: next(stopped))

    resumed = train(cohort, settings, device="cpu", checkpoint_path=checkpoint)

    np.testing.assert_array_equal(resumed.latent_table, whole.latent_table)
    for name, array in whole.network.arrays().items():
        np.testing.assert_array_equal(resumed.network.arrays()[name], array, err_msg=name)


def test_the_time_of_an_epoch_is_measured_without_surfaces(cohort: Cohort) -> None:
    """The panel estimates it before cases are prepared, from random samples."""
    samples = np.random.default_rng(0).normal(size=(3, 500, 4)).astype(np.float32)
    data = SimpleNamespace(ids=("a", "b", "c"), features=cohort.features[:3], samples=samples)

    assert loop.seconds_per_epoch(data, SINES, device="cpu", patience_s=0.0) > 0


def test_batches_without_far_samples_hold_as_many_samples() -> None:
    (batch,) = draw_batches(1, 1000, SINES, np.random.default_rng(0))

    assert batch.samples.shape == (1, 200) and batch.far is None
