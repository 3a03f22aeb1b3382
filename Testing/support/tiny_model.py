"""A model trained in a few seconds: it knows little, but its thyroids are closed surfaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.loop import train


def train_tiny_model(
    cohort: Cohort, path: Path, *, variant: str = "fixed", epochs: int = 150, **choices: Any
) -> TrainedModel:
    """Train a small model, save it and load it again, so that it has its checksum; `choices` replace settings."""
    small = {"samples_per_shape": 400, "hidden_layers": 2, "hidden_width": 64, "latent_size": 6, "mirrored_size": 2}
    settings = settings_for("fast", variant, epochs=epochs, **(small | choices))
    train(cohort, settings, device="cpu").save(path)
    return TrainedModel.load(path)
