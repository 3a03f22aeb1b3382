"""The histogram of the training cohort under a slider, on the slider's scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import qt
import slicer

from ThyroidSynthLib.slicer.panel.shared.drawing import watch

_BARS = 30
_BASE = 6
_MARK = 5


@dataclass(frozen=True)
class Marks:
    """Values marked in a histogram.

    Attributes
    ----------
    current : float
        The slider's value.
    measured : float or None
        The measured value of the shown thyroid.
    colour : tuple of float
        Colour of that thyroid: red, green, blue, 0 to 1.
    isTarget : bool
        Whether the slider's value is a target.
    """

    current: float = 0.0
    measured: float | None = None
    colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
    isTarget: bool = True


class Histogram:
    """Draws the cohort's values into a label under a slider, aligned with its handle.

    A line marks the cohort's range, a bar the slider's value and a triangle the measured value.

    Parameters
    ----------
    label : QLabel
        Directly under the slider and as wide.
    slider : ctkSliderWidget
        Defines the scale.
    """

    def __init__(self, label, slider) -> None:
        self._label, self._slider = label, slider
        self._inner = slicer.util.findChild(slider, "Slider")
        self._values = np.empty(0)
        self._marks = Marks()
        self._drawn: tuple | None = None
        # The picture of the cohort, which does not change with the slider, and the key it was drawn for.
        self._bars: tuple | None = None
        self._watcher = watch(label, self._redraw)

    def show(self, values: np.ndarray, marks: Marks) -> None:
        """Show a cohort's values (n,) and marks."""
        if values is not self._values:
            self._values, self._drawn, self._bars = values, None, None
        self._marks = marks
        self._draw()

    def _redraw(self) -> None:
        self._drawn = self._bars = None
        self._draw()

    def _draw(self) -> None:
        label = self._label
        left, right = self._groove()
        low, high = self._slider.minimum, self._slider.maximum
        key = (self._marks, left, right, low, high, label.width, label.height)
        if key == self._drawn or label.width < 2 or label.height < 2:
            return
        self._drawn = key
        pixmap = self._pictureOfBars(left, right - left, low, high)
        if len(self._values) and high > low:
            painter = self._painterOf(pixmap)
            self._paintMarks(painter, lambda value: _place(value, low, high, left, right))
            painter.end()
        label.setPixmap(pixmap)

    def _pictureOfBars(self, left: float, width: float, low: float, high: float):
        """Return a copy of the cohort's picture, which is painted only when it has changed."""
        label = self._label
        key = (self._marks.isTarget, left, width, low, high, label.width, label.height)
        if self._bars is None or self._bars[0] != key:
            ratio = label.devicePixelRatioF()
            pixmap = qt.QPixmap(round(label.width * ratio), round(label.height * ratio))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(qt.QColor(0, 0, 0, 0))
            if len(self._values) and high > low:
                painter = self._painterOf(pixmap)
                self._paintBars(painter, left, width, low, high)
                painter.end()
            self._bars = (key, pixmap)
        return self._bars[1].copy()

    @staticmethod
    def _painterOf(pixmap):
        painter = qt.QPainter(pixmap)
        painter.setRenderHint(qt.QPainter.Antialiasing, True)
        return painter

    @property
    def _floor(self) -> int:
        """Vertical position of the bars' base line, in pixels from the top."""
        return self._label.height - _BASE

    def _paintBars(self, painter, left: float, width: float, low: float, high: float) -> None:
        floor, ink = self._floor, self._label.palette.color(qt.QPalette.WindowText)
        colour = qt.QColor(ink.red(), ink.green(), ink.blue(), 90 if self._marks.isTarget else 50)
        step = width / _BARS
        counts = np.histogram(self._values, bins=_BARS, range=(low, high))[0]
        for place in np.flatnonzero(counts).tolist():
            height = max(1.0, (floor - 1) * float(counts[place] / counts.max()))
            painter.fillRect(qt.QRectF(left + place * step + 0.5, floor - height, step - 1, height), colour)
        ends = (float(self._values.min()), float(self._values.max()))
        first, last = (_place(value, low, high, left, left + width) for value in ends)
        line = qt.QColor(ink.red(), ink.green(), ink.blue(), 150)
        painter.fillRect(qt.QRectF(first, floor + 1, last - first, 1), line)

    def _paintMarks(self, painter, x: Callable[[float], float]) -> None:
        marks, floor = self._marks, self._floor
        if marks.isTarget:
            mark = self._label.palette.color(qt.QPalette.Highlight)
            painter.fillRect(qt.QRectF(x(marks.current) - 1, 0, 2, floor + 1), mark)
        if marks.measured is not None:
            self._triangle(painter, x(marks.measured), floor + 1)

    def _triangle(self, painter, x: float, top: float) -> None:
        triangle = qt.QPolygonF()
        for across, down in ((0, 0), (_MARK, _MARK), (-_MARK, _MARK)):
            triangle.append(qt.QPointF(x + across, top + down))
        painter.setPen(qt.Qt.NoPen)
        painter.setBrush(qt.QBrush(qt.QColor(*(round(255 * each) for each in self._marks.colour))))
        painter.drawPolygon(triangle)

    def _groove(self) -> tuple[float, float]:
        """Return the centre of the handle at both ends of the slider, in pixels of the label."""
        inner = self._inner
        handle = inner.style().pixelMetric(qt.QStyle.PM_SliderLength)
        return inner.x + handle / 2, inner.x + inner.width - handle / 2


def _place(value: float, low: float, high: float, left: float, right: float) -> float:
    """Return the position of a value on a slider from `low` to `high` that is drawn from `left` to `right`."""
    return left + (right - left) * (min(max(value, low), high) - low) / (high - low)
