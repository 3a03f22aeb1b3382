"""How features and durations are written for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..anatomy.features import FEATURE_NAMES

if TYPE_CHECKING:
    from ..anatomy.features import Features


def featureText(name: str, value: float) -> str:
    """Give a value of a feature with its unit."""
    return {"volume_ml": "{:.1f} mL", "isthmus_area_mm2": "{:.0f} mm²", "symmetry": "{:.2f}"}[name].format(value)


def featuresText(features: Features) -> str:
    """Give all three features of a thyroid."""
    values = features.as_dict()
    names = {"volume_ml": _("volume"), "isthmus_area_mm2": _("isthmus"), "symmetry": _("symmetry")}
    return ", ".join(f"{names[name]} {featureText(name, values[name])}" for name in FEATURE_NAMES)


def durationText(seconds: float) -> str:
    """Give a duration as a person would say it."""
    if seconds < 60:
        return _("{n} s").format(n=round(seconds))
    if seconds < 5400:
        return _("{n} min").format(n=round(seconds / 60))
    return _("{n} h").format(n=round(seconds / 3600, 1))
