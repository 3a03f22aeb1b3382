"""Texts about a fit and an edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import misfit
from ThyroidSynthLib.slicer.panel.generate.targets import outsideText
from ThyroidSynthLib.slicer.panel.shared.wording import FEATURE_DECIMALS, featureName, featureText, keptText, lengthText
from ThyroidSynthLib.slicer.scene.thyroids.edits import is_kept

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord

# Lowest Dice and highest HD95 in mm of a good and of a fair fit.
_GOOD = (0.90, 2.0)
_FAIR = (0.80, 4.0)
_LEAST_INSIDE = 0.98


def fitText(quality: Mapping[str, float]) -> str:
    """Return how well the model alone reproduces a patient's gland, from `ThyroidRecord.quality`."""
    dice, hd95_mm = quality["dice"], quality["hd95_mm"]
    if dice >= _GOOD[0] and hd95_mm <= _GOOD[1]:
        verdict = _("Good fit.")
    elif dice >= _FAIR[0] and hd95_mm <= _FAIR[1]:
        verdict = _("Fair fit.")
    else:
        verdict = _("Poor fit.")
    numbers = _("Model alone: Dice {dice:.2f}, ASSD {assd}, HD95 {hd95}.")
    return f"{verdict} {numbers.format(dice=dice, assd=lengthText(quality['assd_mm'], 1), hd95=lengthText(hd95_mm, 1))}"


def fitWarning(quality: Mapping[str, float]) -> str:
    """Return the limitations of a fit, from `ThyroidRecord.quality`; empty if there are none."""
    warnings = []
    # A fit of an earlier version has no score.
    if (score := quality.get("out_of_distribution", 0.0)) > 1:
        text = _("The gland is unlike the training cases (out-of-distribution score {score:.2f}; up to 1 is ordinary).")
        warnings.append(text.format(score=score))
    if quality["inside_share"] < _LEAST_INSIDE:
        text = _("{share:.0f} % of the gland lies outside the region of the training shapes.")
        warnings.append(text.format(share=100 * (1 - quality["inside_share"])))
    if warnings or quality["dice"] < _FAIR[0]:
        warnings.append(_("Edits of this gland are unreliable: make small changes and check them."))
    if quality.get("cut_by_scan"):
        warnings.insert(0, _cutText(quality))
    return " ".join(warnings)


def _cutText(quality: Mapping[str, float]) -> str:
    text = _("The gland is cut by the scan's border: the features are those of the part in the scan.")
    if "completed_ml" not in quality:
        return text
    whole, low, high = (featureText("volume_ml", quality[f"completed_{part}ml"]) for part in ("", "low_", "high_"))
    estimate = _("The pale part is the model's estimate of the rest: {whole} in all (90 % interval {low} to {high}).")
    return f"{text} {estimate.format(whole=whole, low=low, high=high)}"


def changeText(name: str, before: float, now: float) -> str:
    """Return the change of a feature in its unit and in per cent."""
    # Computed from the rounded values that are shown, so that the three numbers agree.
    decimals = FEATURE_DECIMALS[name]
    change = round(now, decimals) - round(before, decimals)
    if featureText(name, abs(change)) == featureText(name, 0.0):
        return _("unchanged")
    text = _signed(change, featureText(name, abs(change)))
    if before <= 0:
        return text
    percent = f"{100 * abs(now / before - 1):.0f} %"
    return f"{text} ({_signed(change, percent)})"


def stateTexts(record: ThyroidRecord | None, problem: str, description: ModelDescription | None) -> tuple[str, str]:
    """Return a note and a warning on the state of an edit, given why it cannot be continued; both may be empty."""
    if record is None or problem:
        return "", problem
    if record.edited_by_hand:
        return _("Edited by hand. A slider continues from the thyroid before that and keeps this one."), ""
    if record.met is False:
        return "", missText(record.targets, record.measured)
    if record.targets:
        return _("The targets are met."), beyondText(record.targets, record.original, description)
    return _("This is the patient's own thyroid. Move a slider to change it."), ""


def movingText() -> str:
    """Return the state of an edit while a slider moves."""
    return _("Preview. The exact thyroid follows when the slider rests.")


def besideText(kept, new) -> str:
    """Return where an edit continues beside a thyroid that was kept or edited by hand, given their nodes."""
    if not is_kept(kept):
        return keptText(kept.GetName(), new.GetName())
    text = _("'{kept}' stays as it is, hidden for now. Editing continues in '{new}'.")
    return text.format(kept=kept.GetName(), new=new.GetName())


def missText(targets: Mapping[str, float], measured: Mapping[str, float]) -> str:
    """Return which targets an edit misses, and by how much."""
    misses = []
    for name in FEATURE_NAMES:
        if name not in targets or misfit(name, measured[name], targets[name]) <= 1:
            continue
        miss = measured[name] - targets[name]
        amount = featureText(name, abs(miss))
        if amount == featureText(name, 0.0):
            # An isthmus that is smaller than 0.5 mm², or its absence.
            amount = _("less than {amount}").format(amount=featureText(name, 1.0))
        form = _("{feature} {amount} above target") if miss > 0 else _("{feature} {amount} below target")
        misses.append(form.format(feature=featureName(name), amount=amount))
    if not misses:
        return _("The targets are not quite met.")
    return _("Targets not met: {misses}. Clear Hold for another feature, or make a smaller change.").format(
        misses=", ".join(misses)
    )


def beyondText(
    targets: Mapping[str, float], original: Mapping[str, float], description: ModelDescription | None
) -> str:
    """Return which changed features lie outside the cohort's range; empty if none does.

    Features that were held keep the patient's own value and are not mentioned.
    """
    if description is None:
        return ""
    texts = [
        outsideText(name, description.features[:, column], targets[name])
        for column, name in enumerate(FEATURE_NAMES)
        if name in targets and changeText(name, original[name], targets[name]) != _("unchanged")
    ]
    return "\n".join(filter(None, texts))


def _signed(value: float, amount: str) -> str:
    return f"+{amount}" if value > 0 else f"\N{MINUS SIGN}{amount}"


def patientName(segmentation) -> str:
    """Return a short name of a patient, for names of thyroids: that of the segmentation without the word itself."""
    return segmentation.GetName().removesuffix(" segmentation") if segmentation is not None else _("Thyroid")
