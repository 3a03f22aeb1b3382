"""The mirrored dimensions describe the asymmetry of a shape: opposite codes give mirror images."""

from __future__ import annotations

import numpy as np

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.generation.thyroid import thyroid_of_code
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.training.asymmetry import asymmetry_of
from ThyroidSynthLib.training.loop import train

MIRRORED = 3


def test_a_shape_and_its_mirror_image_start_from_opposite_codes() -> None:
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(5, 300, 4)).astype(np.float32) + rng.normal(size=(5, 1, 4)).astype(np.float32)

    values = asymmetry_of(np.concatenate([shapes, shapes * np.array([-1, 1, 1, 1], dtype=np.float32)]))

    np.testing.assert_allclose(values[:5], -values[5:], atol=1e-6)
    assert np.abs(values[:, 0]).min() > 1e-4


def test_opposite_codes_give_mirror_images(tmp_path) -> None:
    cohort = write_tiny_cohort(tmp_path / "cohort", cases=6, samples_per_shape=2000)
    settings = settings_for(
        "fast", "fixed", epochs=150, samples_per_shape=500, hidden_width=64, latent_size=8, mirrored_size=MIRRORED
    )
    model = train(cohort, settings, device="cpu")
    most_asymmetric = int(np.argmin(cohort.features[:, 2]))
    code = model.codes[most_asymmetric]
    opposite = code.copy()
    opposite[-MIRRORED:] *= -1
    symmetric = code.copy()
    symmetric[-MIRRORED:] = 0

    gland, mirrored, middle = (thyroid_of_code(model, c, resolution=32) for c in (code, opposite, symmetric))
    x_mm, mirrored_x_mm = (thyroid.surface.vertices[:, 0].mean() for thyroid in (gland, mirrored))

    assert np.sign(x_mm) == -np.sign(mirrored_x_mm)
    assert abs(gland.measured.volume_ml - mirrored.measured.volume_ml) < 0.2 * gland.measured.volume_ml
    assert middle.measured.symmetry > measure_features(gland.surface).symmetry
