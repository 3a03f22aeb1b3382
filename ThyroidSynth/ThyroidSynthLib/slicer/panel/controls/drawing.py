"""Pictures and warnings in widgets, legible in Slicer's light and dark theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import qt

from ThyroidSynthLib.geometry.thumbnail import EXTENT_MM, shaded

from .timers import singleShotTimer

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.surface import Surface

_WARNING_ON_DARK, _WARNING_ON_LIGHT = "#f2b24c", "#8f5200"
_REDRAW_EVENTS = (qt.QEvent.Resize, qt.QEvent.PaletteChange, qt.QEvent.StyleChange, qt.QEvent.EnabledChange)


def showWarning(label, text: str) -> None:
    """Show a warning in a label of its own; hide the label when the text is empty."""
    label.visible = bool(text)
    label.text = text
    # The palette of the parent follows the theme; a label with a style sheet keeps its own.
    isDark = label.parentWidget().palette.color(qt.QPalette.Window).lightness() < 128
    style = f"color: {_WARNING_ON_DARK if isDark else _WARNING_ON_LIGHT};"
    if label.styleSheet != style:
        label.styleSheet = style


def shadedPixmap(
    surface: Surface, colour: tuple[float, float, float], backdrop, *, pixels: int, extent_mm: float = EXTENT_MM
):
    """Return a square QPixmap of a surface, in `trachea_mm` or `ras_mm`, seen from the front on a plain QColor.

    For `pixels` and `extent_mm` see `geometry.thumbnail.shaded`.
    """
    brightness, cover = shaded(surface, pixels=pixels, extent_mm=extent_mm, lattice=max(3, pixels // 20))
    behind = np.array([backdrop.red(), backdrop.green(), backdrop.blue()], dtype=float)
    lit = 255 * np.clip(brightness[..., None] * np.array(colour) * 1.1, 0, 1)
    image = cover[..., None] * lit + (1 - cover[..., None]) * behind
    # PPM, because not every version of PythonQt makes a QImage of NumPy's memory.
    data = b"P6 %d %d 255\n" % (pixels, pixels) + image.round().astype(np.uint8).tobytes()
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(data), "PPM")
    return pixmap


class RedrawFilter(qt.QObject):
    """Event filter that calls `redraw` after changes of a widget's size, theme or screen."""

    def __init__(self, *arguments) -> None:
        qt.QObject.__init__(self, *arguments)
        self.redraw: Callable[[], None] | None = None

    def eventFilter(self, watched, event) -> bool:
        """Let every event pass."""
        if self.redraw is not None and event.type() in _REDRAW_EVENTS:
            self.redraw()
        return False


class Picture:
    """A picture painted into a label with a transparent background, again whenever its size or the theme changes.

    Subclasses paint in `paint`, and call `draw` when their content has changed.
    """

    smallest = (1, 1)
    """Width and height in pixels below which nothing is drawn."""

    def __init__(self, label) -> None:
        self.label = label
        self._watcher = watch(label, self.draw)

    def draw(self) -> None:
        """Paint the picture."""
        label = self.label
        if label.width < self.smallest[0] or label.height < self.smallest[1]:
            return
        ratio = label.devicePixelRatioF()
        pixmap = qt.QPixmap(round(label.width * ratio), round(label.height * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(qt.QColor(0, 0, 0, 0))
        painter = qt.QPainter(pixmap)
        painter.setRenderHint(qt.QPainter.Antialiasing, True)
        self.paint(painter)
        painter.end()
        label.setPixmap(pixmap)

    def paint(self, painter) -> None:
        """Paint into the label's area, in its pixels."""
        raise NotImplementedError


def watch(widget, redraw: Callable[[], None]) -> RedrawFilter:
    """Call `redraw` after changes of a widget's size, theme or screen; the caller keeps the returned filter.

    Once for many events and only after all of them, because the widgets around it are resized later.
    """
    soon = singleShotTimer(redraw)
    soon.setParent(widget)
    watcher = RedrawFilter()
    watcher.redraw = soon.start
    widget.installEventFilter(watcher)
    return watcher
