"""The colour of a thyroid: shown as a swatch, and chosen in Qt's dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.scene.thyroids.present import thyroid_segment

if TYPE_CHECKING:
    from collections.abc import Sequence

_SWATCH_PIXELS = 14


def swatch(colour: Sequence[float]):
    """Return an icon filled with a colour, given as three numbers from 0 to 1."""
    pixmap = qt.QPixmap(_SWATCH_PIXELS, _SWATCH_PIXELS)
    pixmap.fill(qt.QColor(*(round(255 * channel) for channel in colour)))
    return qt.QIcon(pixmap)


def chooseColour(node, parent) -> None:
    """Let the user choose another colour of a thyroid."""
    segment = node.GetSegmentation().GetSegment(thyroid_segment(node)) if node is not None else None
    if segment is None:
        return
    now = qt.QColor(*(round(255 * channel) for channel in segment.GetColor()))
    chosen = qt.QColorDialog.getColor(now, parent, _("Colour of '{name}'").format(name=node.GetName()))
    if chosen.isValid():
        segment.SetColor(chosen.redF(), chosen.greenF(), chosen.blueF())
