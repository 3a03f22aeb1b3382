"""A picture of a training case and its reconstruction, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.thumbnail import EXTENT_MM
from ThyroidSynthLib.slicer.panel.shared.drawing import shadedPixmap, watch

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.jobs.preview import Preview

ORIGINAL_COLOUR, RECONSTRUCTION_COLOUR = (0.87, 0.51, 0.40), (0.30, 0.69, 0.55)
_GAP = 12
_SMOOTHINGS = 3


class PreviewPicture:
    """Draws previews into a label, again whenever its size or the theme changes.

    Parameters
    ----------
    label : QLabel
    """

    def __init__(self, label) -> None:
        self._label = label
        self._preview: Preview | None = None
        self._watcher = watch(label, self._draw)

    def show(self, preview: Preview | None) -> None:
        """Show a preview; None clears the picture."""
        self._preview = preview
        self._draw()

    def _draw(self) -> None:
        label = self._label
        if label.width < 4 * _GAP or label.height < 4 * _GAP:
            return
        ratio = label.devicePixelRatioF()
        pixmap = qt.QPixmap(round(label.width * ratio), round(label.height * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(qt.QColor(0, 0, 0, 0))
        if self._preview is not None:
            painter = qt.QPainter(pixmap)
            self._paint(painter, self._preview, ratio)
            painter.end()
        label.setPixmap(pixmap)

    def _paint(self, painter, preview: Preview, ratio: float) -> None:
        label = self._label
        line = qt.QFontMetrics(label.font).height()
        size, half = min(label.height - line - 4, (label.width - _GAP) // 2), label.width / 2
        painter.setPen(qt.QPen(label.palette.color(qt.QPalette.WindowText)))
        ground = label.palette.color(qt.QPalette.Window)
        # Both are drawn to the same scale.
        sizes = [
            1.05 * float(np.ptp(each.vertices, axis=0).max()) for each in (preview.original, preview.reconstruction)
        ]
        extent = max(EXTENT_MM, *sizes)
        halves = (
            (preview.original, ORIGINAL_COLOUR, _("Case {case}").format(case=preview.case_id)),
            (preview.reconstruction, RECONSTRUCTION_COLOUR, _("Reconstruction, epoch {n}").format(n=preview.epoch)),
        )
        for index, (surface, colour, caption) in enumerate(halves):
            picture = shadedPixmap(_smoothed(surface), colour, ground, pixels=round(size * ratio), extent_mm=extent)
            picture.setDevicePixelRatio(ratio)
            painter.drawPixmap(qt.QPointF((index + 0.5) * half - size / 2, 0), picture)
            place = qt.QRectF(index * half, size + 2, half, line)
            painter.drawText(place, int(qt.Qt.AlignHCenter | qt.Qt.AlignTop), caption)


def _smoothed(surface: Surface) -> Surface:
    """Smooth the voxel steps of a surface, enough for a small picture."""
    vertices, faces = surface.vertices, surface.faces
    for _round in range(_SMOOTHINGS):
        centres = vertices[faces].mean(axis=1)
        sums = np.stack([np.bincount(faces.ravel(), np.repeat(axis, 3), len(vertices)) for axis in centres.T], axis=1)
        counts = np.bincount(faces.ravel(), minlength=len(vertices))
        vertices = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], vertices)
    return surface.moved(vertices)
