"""Necks of pairs of ellipsoids and tubes: the small model with organs whose size and place follow its thyroids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ThyroidSynthLib.dataset.organs.organ_cohort import OrganCohort
from ThyroidSynthLib.dataset.organs.organ_samples import draw_organ_samples
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.presets import organ_settings
from ThyroidSynthLib.model.trained_model import TrainedModel

FRAME = Frame(np.full(3, 45.0), np.array([-45.0, -40.0, -25.0]), np.array([45.0, 25.0, 25.0]))
EVERYWHERE = Grid.around(
    Surface(np.array([FRAME.lower_mm, FRAME.upper_mm]), np.empty((0, 3))), spacing_mm=5, margin_mm=90
)
TRACHEA, ARTERY = "trachea", "common_carotid_artery_right"
LACKING = 5
"""So many of the first cases lack the artery."""


def tube(radius_mm: float, x: float, y: float, *, half_length_mm: float = 80.0) -> Surface:
    """Return a closed cylinder along the third axis."""
    import trimesh

    mesh = trimesh.creation.cylinder(radius_mm, 2 * half_length_mm, sections=64)
    return Surface(mesh.vertices + np.array([x, y, 0.0]), mesh.faces)


def radius_for(volume_ml: float) -> float:
    """Return the radius of the trachea beside a thyroid, in mm: 6 to 10 over the small cohort."""
    return float(np.clip(8.0 + 0.4 * (volume_ml - 12.0), 5.5, 10.5))


def tubes_of(model: TrainedModel, name: str) -> OrganCohort:
    """Return one organ of the cases of a model: a trachea behind the thyroid, or an artery beside it."""
    rng = np.random.default_rng(0)
    ids, surfaces, features = [], [], []
    for number, (case_id, values) in enumerate(zip(model.ids, model.features, strict=True)):
        shift = rng.uniform(-3, 3)
        radius, x, y = (radius_for(values[0]), 0.0, -25.0) if name == TRACHEA else (3.0, 36.0 + shift, -5.0)
        if name == ARTERY and number < LACKING:
            continue
        ids.append(case_id)
        surfaces.append(tube(radius, x, y))
        features.append([np.pi * radius**2, x])
    samples = np.stack([draw_organ_samples(each, EVERYWHERE, FRAME, 1500, rng) for each in surfaces])
    return OrganCohort(Path(), name, tuple(ids), np.array(features), FRAME, samples, {"cases": []})


def with_tubes(model: TrainedModel) -> TrainedModel:
    """Return a model with a trachea and an artery, learned in a minute."""
    from ThyroidSynthLib.training.organs import train_organ

    quick = {"epochs": 600, "hidden_width": 48, "latent_size": 3, "samples_per_shape": 250}
    settings = replace(organ_settings(model.settings), **quick)
    for name in (TRACHEA, ARTERY):
        model = replace(model, organs={**model.organs, name: train_organ(model, tubes_of(model, name), settings)})
    return model
