"""The settings of the training in a job folder, as the section shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ThyroidSynthLib.dataset.splits import held_out_text
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.settings import TrainingSettings
from ThyroidSynthLib.slicer.panel.shared.choices import Choice, Device, Preset, Variant
from ThyroidSynthLib.slicer.panel.shared.parameters import LARGEST_SEED


def settingsOfJob(config: dict[str, Any]) -> dict[str, Any]:
    """Return the panel's parameters, by their names, for the configuration of a job.

    Whatever the panel cannot show is left out, such as a list of held-out cases.
    """
    settings = TrainingSettings.from_json(config["settings"])
    values: dict[str, Any] = {"trainingData": Path(config["input"])}
    for name, kind, value in (
        ("variant", Variant, settings.variant),
        ("preset", Preset, settings.preset),
        ("device", Device, config["device"]),
    ):
        choice = _choice(kind, value)
        values |= {} if choice is None else {name: choice}
    usual = settings_for(settings.preset, settings.variant).epochs
    values["epochs"] = 0 if settings.epochs == usual else settings.epochs
    if settings.seed <= LARGEST_SEED:
        values["trainingSeed"] = settings.seed
    percent = _percent(config["held_out"])
    return values if percent is None else {**values, "heldOutPercent": percent}


def settingsText(config: dict[str, Any]) -> str:
    """Return the settings of a job in one sentence."""
    settings = TrainingSettings.from_json(config["settings"])
    preset, variant = _choice(Preset, settings.preset), _choice(Variant, settings.variant)
    held_out = config["held_out"]
    text = _("Settings of this training: {preset}, {variant}, {epochs} epochs, random seed {seed}, held out: {cases}.")
    return text.format(
        preset=settings.preset if preset is None else preset.label(),
        variant=(settings.variant if variant is None else variant.label()).lower(),
        epochs=settings.epochs,
        seed=settings.seed,
        cases=held_out_text(held_out) if held_out else _("none"),
    )


def _choice(kind: type[Choice], value: str) -> Choice | None:
    return next((each for each in kind if each.value == value), None)


def _percent(held_out: float | list[str]) -> int | None:
    """Return a share of held-out cases in whole percent; None for another share, a number or a list of cases."""
    if isinstance(held_out, list) or not 0 <= held_out < 1:
        return None
    percent = round(100 * held_out)
    return percent if abs(100 * held_out - percent) < 1e-9 else None
