"""Sentences about a generated thyroid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.shared.wording import featuresText
from ThyroidSynthLib.slicer.scene.thyroids.records import GENERATED

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord

# Distance of a code from the training codes' mean, in SDs per dimension, that is unusual. Training codes are at
# about 0.7 to 1.2.
_FAR_CODE = 2.0


def resultText(name: str, record: ThyroidRecord) -> str:
    """Return what a thyroid is: how it was made, and its features."""
    features = featuresText(record.features)
    if record.edited_by_hand:
        return _("{name}: edited by hand, {features}").format(name=name, features=features)
    if record.kind != GENERATED:
        return _("{name}: fitted or edited, {features}").format(name=name, features=features)
    return _("{name}: random seed {seed}, {features}").format(name=name, seed=record.seed, features=features)


def recordWarning(record: ThyroidRecord | None) -> str:
    """Return a warning about a thyroid; empty if there is none."""
    if record is None:
        return ""
    if record.met is False:
        return _("The targets cannot be matched from this thyroid; the closest one found is shown.")
    if record.distance is not None and record.distance > _FAR_CODE:
        return _(
            "The shape is unusual for the training cohort ({distance} SD from its mean; about 1 is usual)."
        ).format(distance=f"{record.distance:.1f}")
    return ""


def generatedText(record: ThyroidRecord) -> str:
    """Return what to say of a thyroid that was made: a warning, or that it is there."""
    return recordWarning(record) or _("A thyroid was generated.")
