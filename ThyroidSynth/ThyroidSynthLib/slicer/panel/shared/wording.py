"""Texts for features, lengths, quality control and durations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.dataset import quality
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.features import Features


FEATURE_DECIMALS = {"volume_ml": 1, "isthmus_area_mm2": 0, "symmetry": 2}
FEATURE_UNITS = {"volume_ml": "mL", "isthmus_area_mm2": "mm²", "symmetry": ""}


def featureName(name: str) -> str:
    """Return the name of a feature for use within a sentence."""
    return {"volume_ml": _("volume"), "isthmus_area_mm2": _("isthmus area"), "symmetry": _("symmetry")}[name]


def featureText(name: str, value: float) -> str:
    """Return a value of a feature with its unit."""
    return f"{value:.{FEATURE_DECIMALS[name]}f} {FEATURE_UNITS[name]}".strip()


def lengthText(mm: float, decimals: int = 0) -> str:
    """Return a length in the unit that the user chose in Slicer's settings.

    Volumes and areas are in mL and mm² whatever unit is chosen: they are features, whose targets, tables and files have
    these units.

    Parameters
    ----------
    decimals : int
        Decimals that are known of a value in mm; in another unit the same digits are shown, but never more than the
        unit's precision.
    """
    unit = slicer.app.applicationLogic().GetSelectionNode().GetUnitNode("length")
    if unit is None or not unit.GetDisplayCoefficient() > 0:
        return f"{mm:.{decimals}f} mm"
    known = max(decimals - round(math.log10(unit.GetDisplayCoefficient())), 0)
    number = f"{unit.GetDisplayValueFromValue(mm):.{min(known, unit.GetPrecision())}f}"
    return " ".join(part for part in (unit.GetPrefix(), number, unit.GetSuffix()) if part)


def featureTitle(name: str) -> str:
    """Return the name of a feature at the beginning of a text."""
    return {"volume_ml": _("Volume"), "isthmus_area_mm2": _("Isthmus area"), "symmetry": _("Symmetry")}[name]


def keptText(kept: str, new: str) -> str:
    """Return that a thyroid that was edited by hand is kept, and where the next one is."""
    return _("'{kept}' was edited by hand and is kept, hidden. The new thyroid is '{new}'.").format(kept=kept, new=new)


def featuresText(features: Features) -> str:
    """Return the three features of a thyroid as text."""
    values = features.as_dict()
    names = {"volume_ml": _("volume"), "isthmus_area_mm2": _("isthmus"), "symmetry": _("symmetry")}
    return ", ".join(f"{names[name]} {featureText(name, values[name])}" for name in FEATURE_NAMES)


def qualityTexts(verdict: quality.QualityVerdict, *, thyroid: bool = True) -> list[str]:
    """Return the findings of quality control as texts, the most severe first; without a thyroid, on the trachea."""
    found = verdict.measurements
    texts = {
        quality.TRACHEA_MISSING: _("The trachea is too small to place thyroids."),
        quality.TRACHEA_IMPLAUSIBLE: _(
            "This segment cannot be a trachea ({volume:.0f} mL, {length} long, {area:.0f} mm² in section), so "
            "that thyroids cannot be placed. Choose another segment."
        ).format(volume=found.trachea_ml, length=lengthText(found.trachea_length_mm), area=found.trachea_area_mm2),
        quality.TRACHEA_SHORT: _("Only {length} of trachea: its direction is uncertain.").format(
            length=lengthText(found.trachea_length_mm)
        ),
        quality.EMPTY_THYROID: _("The thyroid is empty."),
        quality.CUT_BY_BORDER: _("The thyroid is cut by the scan's border: features are measured on the part inside."),
        quality.TOO_MANY_COMPONENTS: _("The thyroid has {n} components; one or two are usual.").format(
            n=found.components
        ),
        quality.COMPONENTS_APART: _("Components of the thyroid or trachea are far apart."),
        quality.HOLES: _("The thyroid has holes."),
        quality.NOT_WATERTIGHT: _("The thyroid's surface is not closed."),
        quality.ONE_SLICE: _("The thyroid has only one slice."),
        quality.SAME_VOXELS: _("Thyroid and trachea overlap: the same segment may be chosen for both."),
        quality.TRACHEA_INSIDE: _("The thyroid's segment holds the trachea, so that its features are wrong."),
        quality.TRACHEA_AWAY: _(
            "The trachea is not at the height of the thyroid, so that thyroids cannot be placed. Segment it there."
        ),
        quality.IMPLAUSIBLE_VOLUME: _("A volume of {volume} is unusual for a thyroid.").format(
            volume=featureText("volume_ml", found.volume_ml)
        ),
    }
    findings = [texts[reason] for reason in texts if reason in verdict.reasons]
    if not thyroid:
        about_trachea = (quality.TRACHEA_MISSING, quality.TRACHEA_IMPLAUSIBLE, quality.TRACHEA_SHORT)
        findings = [texts[reason] for reason in about_trachea if reason in verdict.reasons]
    elif found.islands_removed:
        text = _("{n} island(s) of the thyroid are ignored ({volume:.2g} mL, up to {distance} away).")
        findings.append(
            text.format(n=found.islands_removed, volume=found.islands_ml, distance=lengthText(found.islands_mm))
        )
    if found.trachea_islands_removed:
        text = _("{n} island(s) of the trachea are ignored ({volume:.2g} mL, up to {distance} away).")
        findings.append(
            text.format(
                n=found.trachea_islands_removed,
                volume=found.trachea_islands_ml,
                distance=lengthText(found.trachea_islands_mm),
            )
        )
    return findings


def durationText(seconds: float) -> str:
    """Return a rounded duration in seconds, minutes or hours."""
    if seconds < 60:
        return _("{n} s").format(n=round(seconds))
    if seconds < 5400:
        return _("{n} min").format(n=round(seconds / 60))
    return _("{n} h").format(n=round(seconds / 3600, 1))
