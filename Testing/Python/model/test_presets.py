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


def test_sine_units_have_the_published_omega_and_a_lower_learning_rate() -> None:
    """Sitzmann et al. (2020) publish omega 30; at the rate of the ReLU presets the learned field gets ripples."""
    for preset in PRESETS:
        settings = settings_for(preset, "fixed", activation="siren")
        assert (settings.activation, settings.omega, settings.sine_omega) == ("siren", 30.0, 30.0)
        assert settings.learning_rate == (3e-4 if preset == "paper" else 5e-4)
        assert TrainingSettings.from_json(settings.to_json()) == settings
    chosen = settings_for("best", "fixed", activation="siren", omega=60, learning_rate=1e-4)
    assert (chosen.sine_omega, chosen.learning_rate) == (60, 1e-4)
    assert settings_for("best", "fixed").sine_omega is None


def test_settings_of_relu_networks_are_stored_as_before_there_were_sine_units() -> None:
    """Checkpoints and jobs of earlier versions are compared with them."""
    stored = settings_for("best", "fixed").to_json()

    assert not {"activation", "omega"} & set(stored)
    assert TrainingSettings.from_json(stored).activation == "relu"


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
        ("fast", "fixed", {"activation": "tanh"}, "'activation' is 'tanh'"),
        ("fast", "fixed", {"activation": "siren", "omega": 0.0}, "'omega' is 0.0, but it must be between 0.1 and 1000"),
        ("fast", "fixed", {"activation": "siren", "omega": float("nan")}, "'omega' is nan"),
        ("fast", "fixed", {"omega": 20.0}, "'omega' is 20.0, but it has a meaning for the activation 'siren' only"),
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
