"""A picture of a training case and its reconstruction, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.polydata import polydata_of, surface_of
from ThyroidSynthLib.geometry.thumbnail import EXTENT_MM
from ThyroidSynthLib.slicer.panel.controls.drawing import Picture, shadedPixmap

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.jobs.preview import Preview

ORIGINAL_COLOUR, RECONSTRUCTION_COLOUR = (0.87, 0.51, 0.40), (0.30, 0.69, 0.55)
_GAP = 12
_SMOOTHINGS, _RELAXATION = 6, 0.5


class PreviewPicture(Picture):
    """Draws previews into a label."""

    smallest = (4 * _GAP, 4 * _GAP)

    def __init__(self, label) -> None:
        super().__init__(label)
        self._preview: Preview | None = None

    def show(self, preview: Preview | None) -> None:
        """Show a preview; None clears the picture."""
        self._preview = preview
        self.draw()

    def paint(self, painter) -> None:
        """Paint both shapes and their captions."""
        preview, label = self._preview, self.label
        if preview is None:
            return
        ratio = label.devicePixelRatioF()
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
    from vtkmodules.vtkFiltersCore import vtkSmoothPolyDataFilter

    smoothing = vtkSmoothPolyDataFilter()
    smoothing.SetInputData(polydata_of(surface))
    smoothing.SetNumberOfIterations(_SMOOTHINGS)
    smoothing.SetRelaxationFactor(_RELAXATION)
    smoothing.Update()
    return surface_of(smoothing.GetOutput(), merge_points=False)
