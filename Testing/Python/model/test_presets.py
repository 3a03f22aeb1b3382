"""The paper preset is as published, and invalid settings are refused with their name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.model.presets import PRESETS, settings_for
from ThyroidSynthLib.model.settings import VARIANTS, TrainingSettings

PUBLISHED = {
    "drawn_codes_only": False,
    "preset": "paper",
    "epochs": 10_000,
    "samples_per_shape": 1000,
    "surface_share": None,  # as stored: four fifths on the surface
    "shapes_per_step": 1,
    "learning_rate": 3e-4,
    "latent_learning_rate": 3e-4,
    "schedule": "constant",
    "latent_size": 64,
    "mirrored_size": 0,
    "latent_init_sd": 0.01,
    "latent_weight": 1e-4,
    "prior": "independent",
    "hidden_layers": 3,
    "hidden_width": 256,
    "seed": 0,
}


@pytest.mark.parametrize(
    ("variant", "conditioning", "decorrelated"),
    [("baseline", "none", False), ("fixed", "linear", False), ("correlation", "linear", True)],
)
def test_the_paper_preset_is_exactly_as_published(variant: str, conditioning: str, decorrelated: bool) -> None:
    settings = settings_for("paper", variant).to_json()
    weight = settings.pop("correlation_weight")

    assert settings == PUBLISHED | {"variant": variant, "conditioning": conditioning}
    assert (weight > 0) == decorrelated


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_are_read_back_from_json(preset: str, variant: str) -> None:
    settings = settings_for(preset, variant, epochs=7, seed=3)

    assert TrainingSettings.from_json(settings.to_json()) == settings
    assert (settings.epochs, settings.seed) == (7, 3)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(InputError, match="wavelets"):
        TrainingSettings.from_json({**settings_for("fast", "fixed").to_json(), "wavelets": 3})


@pytest.mark.parametrize(
    ("preset", "variant", "overrides", "named"),
    [
        ("slow", "fixed", {}, "slow"),
        ("fast", "free", {}, "free"),
        ("fast", "fixed", {"epochs": 0}, "epochs"),
        ("fast", "fixed", {"hidden_layers": 0}, "hidden_layers"),
        ("fast", "fixed", {"latent_size": 0}, "latent_size"),
        ("fast", "fixed", {"learning_rate": 0.0}, "learning_rate"),
        ("fast", "fixed", {"latent_learning_rate": float("nan")}, "latent_learning_rate"),
        ("fast", "fixed", {"latent_weight": -1e-4}, "latent_weight"),
        ("fast", "fixed", {"seed": -1}, "seed"),
        ("fast", "fixed", {"mirrored_size": 65}, "mirrored_size"),
        ("fast", "fixed", {"schedule": "cosinus"}, "schedule"),
        ("fast", "fixed", {"prior": "none"}, "prior"),
        ("fast", "fixed", {"conditioning": "log"}, "conditioning"),
        ("fast", "fixed", {"conditioning": "none"}, "conditioning"),
        ("fast", "baseline", {"conditioning": "linear"}, "conditioning"),
        ("fast", "fixed", {"surface_share": 1.2}, "surface_share"),
        ("fast", "fixed", {"momentum": 0.9}, "momentum"),
    ],
)
def test_invalid_settings_are_refused_with_their_name(
    preset: str, variant: str, overrides: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        settings_for(preset, variant, **overrides)


def test_a_replaced_setting_is_checked_too() -> None:
    with pytest.raises(InputError, match=r"'epochs' is 0, but it must be at least 1"):
        replace(settings_for("fast", "fixed"), epochs=0)
    with pytest.raises(InputError, match=r"'variant' is 'free', but it must be one of baseline, fixed, correlation"):
        replace(settings_for("fast", "fixed"), variant="free")
