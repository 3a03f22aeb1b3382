"""The histogram of the training cohort under a slider, on the slider's scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import qt
import slicer

from ThyroidSynthLib.slicer.panel.controls.drawing import Picture

_BARS = 30
# Height of the bars' base line above the bottom, and of the triangle below it, in pixels.
_BASE, _MARK = 6, 5


@dataclass(frozen=True)
class Marks:
    """Values marked in a histogram: the slider's, and the measured one in the colour of the shown thyroid."""

    current: float = 0.0
    measured: float | None = None
    colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
    isTarget: bool = True


class Histogram(Picture):
    """Draws the cohort's values into a label under a slider, aligned with its handle.

    A line marks the cohort's range, a bar the slider's value if it is a target, and a triangle the measured value.
    The label is directly under the slider and as wide.
    """

    smallest = (2, 2)

    def __init__(self, label, slider) -> None:
        self._slider = slider
        self._inner = slicer.util.findChild(slider, "Slider")
        self._values = np.empty(0)
        self._marks = Marks()
        self._drawn: tuple | None = None
        super().__init__(label)

    def show(self, values: np.ndarray, marks: Marks) -> None:
        """Show a cohort's values (n,) and marks; nothing is drawn if neither they nor the scale have changed."""
        drawn = marks, self._slider.minimum, self._slider.maximum
        if values is not self._values or drawn != self._drawn:
            self._values, self._marks, self._drawn = values, marks, drawn
            self.draw()

    def paint(self, painter) -> None:
        """Paint bars and marks."""
        values, marks, floor = self._values, self._marks, self.label.height - _BASE
        low, high = self._slider.minimum, self._slider.maximum
        if len(values) == 0 or high <= low:
            return
        # Both ends of the slider, where the centre of its handle can be.
        handle = self._inner.style().pixelMetric(qt.QStyle.PM_SliderLength)
        left, width = self._inner.x + handle / 2, self._inner.width - handle

        def x(value: float) -> float:
            return left + width * (min(max(value, low), high) - low) / (high - low)

        ink = self.label.palette.color(qt.QPalette.WindowText)
        colour = qt.QColor(ink.red(), ink.green(), ink.blue(), 90 if marks.isTarget else 50)
        step = width / _BARS
        counts = np.histogram(values, bins=_BARS, range=(low, high))[0]
        for place in np.flatnonzero(counts).tolist():
            height = max(1.0, (floor - 1) * float(counts[place] / counts.max()))
            painter.fillRect(qt.QRectF(left + place * step + 0.5, floor - height, step - 1, height), colour)
        first, last = x(float(values.min())), x(float(values.max()))
        line = qt.QColor(ink.red(), ink.green(), ink.blue(), 150)
        painter.fillRect(qt.QRectF(first, floor + 1, last - first, 1), line)
        if marks.isTarget:
            mark = self.label.palette.color(qt.QPalette.Highlight)
            painter.fillRect(qt.QRectF(x(marks.current) - 1, 0, 2, floor + 1), mark)
        if marks.measured is not None:
            triangle = qt.QPolygonF()
            for across, down in ((0, 0), (_MARK, _MARK), (-_MARK, _MARK)):
                triangle.append(qt.QPointF(x(marks.measured) + across, floor + 1 + down))
            painter.setPen(qt.Qt.NoPen)
            painter.setBrush(qt.QBrush(qt.QColor(*(round(255 * each) for each in marks.colour))))
            painter.drawPolygon(triangle)
