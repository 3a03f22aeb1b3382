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


def isDark(widget) -> bool:
    """Check whether a widget has a dark theme."""
    return widget.palette.color(qt.QPalette.Window).lightness() < 128


def showWarning(label, text: str) -> None:
    """Show a warning in a label of its own; hide the label when the text is empty."""
    label.visible = bool(text)
    label.text = text
    # The palette of the parent follows the theme; a label with a style sheet keeps its own.
    style = f"color: {_WARNING_ON_DARK if isDark(label.parentWidget()) else _WARNING_ON_LIGHT};"
    if label.styleSheet != style:
        label.styleSheet = style


def shadedPixmap(
    surface: Surface, colour: tuple[float, float, float], backdrop, *, pixels: int, extent_mm: float = EXTENT_MM
):
    """Draw a surface from the front on a plain backdrop.

    Parameters
    ----------
    surface : Surface
        In `trachea_mm` or `ras_mm`.
    colour : tuple of float
        Red, green and blue, 0 to 1.
    backdrop : QColor
        Such as the background of the widget.
    pixels, extent_mm
        As in `geometry.thumbnail.shaded`.

    Returns
    -------
    QPixmap
        Square, with `pixels` on each side.
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
    """Event filter for changes of a widget's size, theme or screen.

    Attributes
    ----------
    redraw : callable or None
        Called after such a change.
    """

    def __init__(self, *arguments) -> None:
        qt.QObject.__init__(self, *arguments)
        self.redraw: Callable[[], None] | None = None

    def eventFilter(self, watched, event) -> bool:
        """Let every event pass."""
        if self.redraw is not None and event.type() in _REDRAW_EVENTS:
            self.redraw()
        return False


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
