"""Named sets of training settings."""

from __future__ import annotations

from typing import Any

from ThyroidSynthLib.common.errors import InputError

from .settings import VARIANTS, TrainingSettings

DEFAULT_PRESET = "best"

# For a laptop: several shapes in a step, a high learning rate that falls to almost 0, encoded features, and most
# samples beside the surface instead of on it.
_LAPTOP = {
    "surface_share": 0.3,
    "shapes_per_step": 8,
    "learning_rate": 2e-3,
    "latent_learning_rate": 2e-3,
    "schedule": "cosine",
    "conditioning": "anatomical",
    "mirrored_size": 24,
    "drawn_codes_only": True,
}

# Sine units pass on omega times the gradient. At the rate of ReLU units their field gets ripples away from the samples.
_SINE_RATE = 5e-4

PRESETS: dict[str, dict[str, Any]] = {
    # Twice the epochs, and a feature map that is fitted to the trained model.
    "best": {**_LAPTOP, "epochs": 400, "prior": "measured"},
    "fast": {**_LAPTOP, "epochs": 200, "prior": "conditional"},
    # As published; shapes per step and λ are from the authors' code. The paper does not state the units in which
    # features enter; here they are standardised.
    "paper": {},
}


# Of an organ beside the thyroid. A tube is simpler than a gland: a small network and code are enough, see
# `docs/decisions/organs.md`.
_ORGAN: dict[str, Any] = {
    "samples_per_shape": 400,
    "shapes_per_step": 8,
    "learning_rate": 3e-3,
    "latent_learning_rate": 3e-3,
    "schedule": "cosine",
    "latent_size": 12,
    "hidden_width": 96,
    "prior": "conditional",
}
_MOST_ORGAN_EPOCHS = 200


def organ_settings(settings: TrainingSettings) -> TrainingSettings:
    """Return the settings of the organs of a training with these settings: a third of the epochs, at most 200."""
    epochs = min(-(-settings.epochs // 3), _MOST_ORGAN_EPOCHS)
    return TrainingSettings(
        preset=settings.preset, variant="fixed", epochs=epochs, seed=settings.seed, correlation_weight=0.0, **_ORGAN
    )


def alignment_for(preset: str) -> str:
    """Return the alignment, see `geometry.frame.ALIGNMENTS`, of cases that are prepared for a training."""
    return "trachea" if preset == "paper" else "upright"


def settings_for(preset: str, variant: str, **overrides: Any) -> TrainingSettings:
    """Return the settings of a preset in `PRESETS` for one of `VARIANTS`, some of them replaced by `overrides`.

    `InputError` if the preset, the variant or a setting does not exist, or a setting is out of its range.
    """
    if preset not in PRESETS:
        raise InputError(f"There is no preset '{preset}'. Choose one of: {', '.join(PRESETS)}.")
    if variant not in VARIANTS:
        raise InputError(f"There is no variant '{variant}'. Choose one of: {', '.join(VARIANTS)}.")
    of_variant: dict[str, Any] = {} if variant == "correlation" else {"correlation_weight": 0.0}
    if variant == "baseline":
        of_variant["conditioning"] = "none"
    settings = {"preset": preset, "variant": variant, **PRESETS[preset], **of_variant}
    if overrides.get("activation") == "siren":
        settings["learning_rate"] = min(settings.get("learning_rate", TrainingSettings.learning_rate), _SINE_RATE)
    settings |= overrides
    return TrainingSettings.from_json(settings)
