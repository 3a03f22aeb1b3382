"""The loss curve of a training, drawn into a label on a logarithmic scale.

Drawn here and not by Slicer's plot view, which would take the place of one of the image views.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.shared.drawing import Picture

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 34
_TICK = 4
_MAX_TICKS = 5


class LossCurve(Picture):
    """Draws a loss curve into a label."""

    smallest = (_LEFT + _RIGHT + 1, _TOP + _BOTTOM + 1)

    def __init__(self, label) -> None:
        super().__init__(label)
        self._points: Sequence[tuple[float, float]] = ()
        self._epochs = 0

    @property
    def width(self) -> int:
        """Width of the curve in pixels, above which more points are not visible."""
        return max(self.label.width - _LEFT - _RIGHT, 50)

    def show(self, points: Sequence[tuple[float, float]], epochs: int) -> None:
        """Show the epochs and losses of a training of a number of epochs; no points clear the label."""
        self._points, self._epochs = points, epochs
        self.draw()

    def paint(self, painter) -> None:
        """Paint axes and curve."""
        points, width, height = self._points, self.label.width, self.label.height
        if not points:
            return
        palette = self.label.palette
        ink, accent = palette.color(qt.QPalette.WindowText), palette.color(qt.QPalette.Highlight)
        faint = qt.QColor(ink.red(), ink.green(), ink.blue(), 45)
        right, floor = width - _RIGHT, height - _BOTTOM
        last = max(float(self._epochs), points[-1][0], 2.0)
        low, high = logLimits([loss for _epoch, loss in points])

        def x(epoch: float) -> float:
            return _LEFT + (right - _LEFT) * (epoch - 1) / (last - 1)

        def y(loss: float) -> float:
            return floor - (floor - _TOP) * (math.log10(loss) - low) / (high - low)

        font = qt.QFont(self.label.font)
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
        painter.setFont(font)
        line = qt.QFontMetrics(font).height()
        for value in lossTicks(low, high):
            painter.setPen(qt.QPen(faint))
            painter.drawLine(qt.QPointF(_LEFT, y(value)), qt.QPointF(right, y(value)))
            painter.setPen(qt.QPen(ink))
            place = qt.QRectF(0, y(value) - line / 2, _LEFT - _TICK, line)
            painter.drawText(place, int(qt.Qt.AlignRight | qt.Qt.AlignVCenter), tickText(value))
        for epoch in epochTicks(last):
            painter.setPen(qt.QPen(faint))
            painter.drawLine(qt.QPointF(x(epoch), floor), qt.QPointF(x(epoch), floor + _TICK))
            painter.setPen(qt.QPen(ink))
            place = qt.QRectF(x(epoch) - 40, floor + 2, 80, line)
            if epoch == last:
                place = qt.QRectF(right - 80, floor + 2, 80, line)
            alignment = qt.Qt.AlignRight if epoch == last else qt.Qt.AlignHCenter
            painter.drawText(place, int(alignment | qt.Qt.AlignTop), f"{epoch:,}".replace(",", "\u202f"))
        painter.setPen(qt.QPen(ink))
        title = qt.QRectF(_LEFT, height - line, right - _LEFT, line)
        painter.drawText(title, int(qt.Qt.AlignHCenter | qt.Qt.AlignBottom), _("Epoch"))
        painter.drawText(qt.QRectF(_LEFT + 4, 0, right - _LEFT, line), int(qt.Qt.AlignRight), _("Loss"))
        painter.drawLine(qt.QPointF(_LEFT, floor), qt.QPointF(right, floor))
        path = qt.QPainterPath()
        path.moveTo(x(points[0][0]), y(points[0][1]))
        for at, loss in points[1:]:
            path.lineTo(x(at), y(loss))
        pen = qt.QPen(accent)
        pen.setWidthF(1.6)
        painter.setPen(pen)
        painter.setBrush(qt.QBrush(qt.Qt.NoBrush))
        painter.drawPath(path)
        painter.setBrush(qt.QBrush(accent))
        painter.drawEllipse(qt.QPointF(x(points[-1][0]), y(points[-1][1])), 2.5, 2.5)


def logLimits(losses: list[float]) -> tuple[float, float]:
    """Return the ends of the loss axis as decimal logarithms, with a margin."""
    low, high = math.log10(min(losses)), math.log10(max(losses))
    margin = max(0.05 * (high - low), 0.03)
    if high - low < 0.3:
        margin += 0.15
    return low - margin, high + margin


def lossTicks(low: float, high: float) -> list[float]:
    """Return round losses between two decimal logarithms: decades, with 1, 2, 5 in short ranges."""
    for steps in ((1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(low), math.ceil(high) + 1)
        values = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [value for value in values if low <= math.log10(value) <= high]
        if len(ticks) <= _MAX_TICKS:
            return ticks
    every = math.ceil(len(ticks) / _MAX_TICKS)
    return ticks[::every]


def epochTicks(last: float) -> list[int]:
    """Return round epochs from 1 to the last one, which always has a tick."""
    exact = last / (_MAX_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(exact))
    step = max(1, round(next(size for size in (1, 2, 5, 10) if size * power >= exact) * power))
    ticks = [epoch for epoch in range(step, int(last), step) if last - epoch > 0.6 * step]
    return [1, *(epoch for epoch in ticks if epoch > 1), int(last)]


def tickText(value: float) -> str:
    """Return a loss as text, with a power of ten if it is very small or large."""
    if 0.001 <= value < 10000:
        return f"{value:g}"
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    power = math.floor(math.log10(value) + 1e-9)
    first = round(value / 10.0**power)
    return (f"{first}·" if first != 1 else "") + "10" + str(power).translate(digits)
