"""The cohort's histogram under a slider, on the slider's own scale."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import qt
import slicer

from .redraw import watch

_BARS = 30
_BASE = 6
_MARK = 5


@dataclass(frozen=True)
class HistogramContent:
    """What a histogram shows.

    Attributes
    ----------
    values : tuple of float
        The cohort's values.
    current : float
        The slider's value.
    measured : float or None
        What the shown thyroid measures.
    colour : tuple of float
        That thyroid's colour, red, green and blue from 0 to 1.
    asked : bool
        Whether the slider's value counts.
    """

    values: tuple[float, ...] = ()
    current: float = 0.0
    measured: float | None = None
    colour: tuple[float, float, float] = field(default=(0.5, 0.5, 0.5))
    asked: bool = True


class Histogram:
    """Draws the cohort's values into a label under a slider, bar under handle position.

    Marks: a line under the cohort's range, a bar at the slider's value, a triangle at the measured value.

    Parameters
    ----------
    label : QLabel
        As wide as the slider's widget, and right under it.
    slider : ctkSliderWidget
        Gives the scale.
    """

    def __init__(self, label, slider) -> None:
        self._label, self._slider = label, slider
        self._content = HistogramContent()
        self._drawn: tuple | None = None
        self._watcher = watch(label, self._redraw)

    def show(self, content: HistogramContent) -> None:
        """Show other content."""
        self._content = content
        self._draw()

    def _redraw(self) -> None:
        self._drawn = None
        self._draw()

    def _draw(self) -> None:
        label, content = self._label, self._content
        left, right = self._groove()
        low, high = self._slider.minimum, self._slider.maximum
        key = (content, left, right, low, high, label.width, label.height)
        if key == self._drawn or label.width < 2 or label.height < 2:
            return
        self._drawn = key
        ratio = label.devicePixelRatioF()
        pixmap = qt.QPixmap(round(label.width * ratio), round(label.height * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(qt.QColor(0, 0, 0, 0))
        if content.values and high > low:
            painter = qt.QPainter(pixmap)
            painter.setRenderHint(qt.QPainter.Antialiasing, True)
            self._paint(painter, left, right, low, high)
            painter.end()
        label.setPixmap(pixmap)

    def _paint(self, painter, left: float, right: float, low: float, high: float) -> None:
        content, floor = self._content, self._label.height - _BASE

        def x(value: float) -> float:
            return left + (right - left) * (min(max(value, low), high) - low) / (high - low)

        palette = self._label.palette
        ink = palette.color(qt.QPalette.WindowText)
        values = np.array(content.values)
        counts, edges = np.histogram(values, bins=_BARS, range=(low, high))
        bar = qt.QColor(ink.red(), ink.green(), ink.blue(), 90 if content.asked else 50)
        for count, start, end in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if count:
                height = max(1.0, (floor - 1) * count / counts.max())
                painter.fillRect(qt.QRectF(x(start) + 0.5, floor - height, x(end) - x(start) - 1, height), bar)
        line = qt.QColor(ink.red(), ink.green(), ink.blue(), 150)
        first, last = x(float(values.min())), x(float(values.max()))
        painter.fillRect(qt.QRectF(first, floor + 1, last - first, 1), line)
        if content.asked:
            mark = palette.color(qt.QPalette.Highlight)
            painter.fillRect(qt.QRectF(x(content.current) - 1, 0, 2, floor + 1), mark)
        if content.measured is not None:
            self._triangle(painter, x(content.measured), floor + 1)

    def _triangle(self, painter, x: float, top: float) -> None:
        triangle = qt.QPolygonF()
        for across, down in ((0, 0), (_MARK, _MARK), (-_MARK, _MARK)):
            triangle.append(qt.QPointF(x + across, top + down))
        painter.setPen(qt.Qt.NoPen)
        painter.setBrush(qt.QBrush(qt.QColor(*(round(255 * each) for each in self._content.colour))))
        painter.drawPolygon(triangle)

    def _groove(self) -> tuple[float, float]:
        """Give where the handle's middle is at either end of the slider, in pixels of the label."""
        inner = slicer.util.findChild(self._slider, "Slider")
        handle = inner.style().pixelMetric(qt.QStyle.PM_SliderLength)
        return inner.x + handle / 2, inner.x + inner.width - handle / 2
