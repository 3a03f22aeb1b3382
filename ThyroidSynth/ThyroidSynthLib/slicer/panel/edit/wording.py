"""What is said of a fit and of an edit, in words a reader of images uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.generate.targets import outsideText
from ThyroidSynthLib.slicer.panel.shared.wording import featureText

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription

# Overlap and 95 % distance of a fit that shows the gland as it is, and of one that shows it roughly.
_GOOD = (0.90, 2.0)
_FAIR = (0.80, 4.0)
# Training codes lie between about 0.7 and 1.2 SDs per dimension from their mean.
_FAR_CODE = 2.0
_LEAST_INSIDE = 0.98

_DECIMALS = {"volume_ml": 1, "isthmus_area_mm2": 0, "symmetry": 2}


def fitText(quality: Mapping[str, float]) -> str:
    """Say how well the model alone describes a patient's gland.

    Parameters
    ----------
    quality : mapping
        `dice`, `assd_mm` and `hd95_mm`, as a `ThyroidRecord` keeps them.
    """
    dice, far_mm = quality["dice"], quality["hd95_mm"]
    if dice >= _GOOD[0] and far_mm <= _GOOD[1]:
        verdict = _("The model knows this shape well.")
    elif dice >= _FAIR[0] and far_mm <= _FAIR[1]:
        verdict = _("The model knows this shape roughly.")
    else:
        verdict = _("The model hardly knows this shape.")
    numbers = _("By itself it reaches Dice {dice:.2f}, {mean:.1f} mm apart on average, {far:.1f} mm at 95 %.").format(
        dice=dice, mean=quality["assd_mm"], far=far_mm
    )
    return f"{verdict} {numbers}"


def fitWarning(quality: Mapping[str, float]) -> str:
    """Say what to beware of with a patient's gland; empty when nothing is unusual.

    Parameters
    ----------
    quality : mapping
        `dice`, `distance` of the code in SDs per dimension, and `inside_share`; for a gland that the scan's
        border cuts `cut_by_scan`, and the volume that the model completes it to, with its 90 % interval.
    """
    found = []
    cut = bool(quality.get("cut_by_scan"))
    if cut:
        found.append(_cutText(quality))
    if quality["distance"] > _FAR_CODE:
        found.append(
            _("It lies {distance:.1f} SDs from the shapes the model has learnt; 1 is usual.").format(
                distance=quality["distance"]
            )
        )
    if quality["inside_share"] < _LEAST_INSIDE:
        found.append(
            _("{share:.0f} % of it lies where the model has never seen a thyroid.").format(
                share=100 * (1 - quality["inside_share"])
            )
        )
    if found[int(cut) :] or quality["dice"] < _FAIR[0]:
        found.append(_("Its own details are kept, but how it changes is a guess: make small changes and look closely."))
    return " ".join(found)


def _cutText(quality: Mapping[str, float]) -> str:
    text = _("The scan's border cuts this gland: its features are those of the part in the scan.")
    if "completed_ml" not in quality:
        return text
    whole, low, high = (featureText("volume_ml", quality[f"completed_{part}ml"]) for part in ("", "low_", "high_"))
    guess = _("The pale part beyond is the model's guess: {whole} in all, {low} to {high} at 90 %.")
    return f"{text} {guess.format(whole=whole, low=low, high=high)}"


def changeText(name: str, before: float, now: float) -> str:
    """Say how far a feature has changed, in its unit and in per cent."""
    # Of the values as they are written, so that the three can be added up.
    decimals = _DECIMALS[name]
    change = round(now, decimals) - round(before, decimals)
    if featureText(name, abs(change)) == featureText(name, 0.0):
        return _("unchanged")
    text = _signed(change, featureText(name, abs(change)))
    if before <= 0:
        return text
    percent = f"{100 * abs(now / before - 1):.0f} %"
    return f"{text} ({_signed(change, percent)})"


def missText(targets: Mapping[str, float], measured: Mapping[str, float]) -> str:
    """Say by how much an edit misses what was asked; for one that does."""
    parts = []
    for name in FEATURE_NAMES:
        if name not in targets:
            continue
        miss = measured[name] - targets[name]
        amount = featureText(name, abs(miss))
        if amount == featureText(name, 0.0):
            continue
        form = _("{feature} {amount} above the wish") if miss > 0 else _("{feature} {amount} below the wish")
        parts.append(form.format(feature=featureName(name), amount=amount))
    if not parts:
        return _("Not quite reached.")
    return _("Out of this gland's reach: {misses}. Free another feature, or ask for less.").format(
        misses=", ".join(parts)
    )


def beyondText(
    targets: Mapping[str, float], original: Mapping[str, float], description: ModelDescription | None
) -> str:
    """Say how far changes lead out of the cohort; empty when they do not. What is held is the patient's own."""
    if description is None:
        return ""
    changed = {
        name: value for name, value in targets.items() if changeText(name, original[name], value) != _("unchanged")
    }
    texts = (
        outsideText(name, description.features[:, place], changed[name])
        for place, name in enumerate(FEATURE_NAMES)
        if name in changed
    )
    return "\n".join(filter(None, texts))


def featureName(name: str) -> str:
    """Give a feature's name within a sentence."""
    return {"volume_ml": _("volume"), "isthmus_area_mm2": _("isthmus area"), "symmetry": _("symmetry")}[name]


def _signed(value: float, amount: str) -> str:
    return f"+{amount}" if value > 0 else f"\N{MINUS SIGN}{amount}"
