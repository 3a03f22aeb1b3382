"""How features and durations are written for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.dataset import quality
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.features import Features


def featureText(name: str, value: float) -> str:
    """Give a value of a feature with its unit."""
    return {"volume_ml": "{:.1f} mL", "isthmus_area_mm2": "{:.0f} mm²", "symmetry": "{:.2f}"}[name].format(value)


def featuresText(features: Features) -> str:
    """Give all three features of a thyroid."""
    values = features.as_dict()
    names = {"volume_ml": _("volume"), "isthmus_area_mm2": _("isthmus"), "symmetry": _("symmetry")}
    return ", ".join(f"{names[name]} {featureText(name, values[name])}" for name in FEATURE_NAMES)


def qualityTexts(verdict: quality.QualityVerdict, *, thyroid: bool = True) -> list[str]:
    """Give what a user must know of a patient's thyroid and trachea, worst first.

    Parameters
    ----------
    thyroid : bool
        Whether the patient has a thyroid segment; without one nothing is said of it.
    """
    found = verdict.measurements
    texts = {
        quality.TRACHEA_MISSING: _("There is hardly any trachea, so thyroids cannot be placed reliably."),
        quality.EMPTY_THYROID: _("The thyroid is empty."),
        quality.CUT_BY_BORDER: _("The thyroid is cut by the scan's border: its features are those of a part."),
        quality.TOO_MANY_COMPONENTS: _("The thyroid is in {n} pieces; up to two are usual.").format(n=found.components),
        quality.COMPONENTS_APART: _("Parts of the thyroid or of the trachea lie far apart."),
        quality.HOLES: _("The thyroid has holes inside."),
        quality.NOT_WATERTIGHT: _("The thyroid's surface is not closed."),
        quality.SAME_VOXELS: _("Thyroid and trachea overlap: one segment seems to be chosen for both."),
        quality.TRACHEA_AWAY: _("The trachea ends far from the thyroid, so thyroids cannot be placed reliably."),
        quality.IMPLAUSIBLE_VOLUME: _("{volume} is an unusual volume for a thyroid.").format(
            volume=featureText("volume_ml", found.volume_ml)
        ),
    }
    said = [texts[reason] for reason in texts if reason in verdict.reasons]
    trachea = []
    if found.trachea_islands_removed:
        trachea.append(
            _("Islands of the trachea are left out: {n}, together {volume:.2g} mL.").format(
                n=found.trachea_islands_removed, volume=found.trachea_islands_ml
            )
        )
    if not thyroid:
        return [texts[reason] for reason in verdict.reasons if reason == quality.TRACHEA_MISSING] + trachea
    if found.islands_removed:
        said.append(
            _("Islands of the thyroid are left out: {n}, together {volume:.2g} mL.").format(
                n=found.islands_removed, volume=found.islands_ml
            )
        )
    return said + trachea


def durationText(seconds: float) -> str:
    """Give a duration as a person would say it."""
    if seconds < 60:
        return _("{n} s").format(n=round(seconds))
    if seconds < 5400:
        return _("{n} min").format(n=round(seconds / 60))
    return _("{n} h").format(n=round(seconds / 3600, 1))
