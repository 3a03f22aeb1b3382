"""Tells when a picture in a label must be drawn anew: its size, the theme or the screen has changed."""

from __future__ import annotations

from collections.abc import Callable

import qt

_EVENTS = (qt.QEvent.Resize, qt.QEvent.PaletteChange, qt.QEvent.StyleChange, qt.QEvent.EnabledChange)


class RedrawFilter(qt.QObject):
    """An event filter, as Slicer's module Sample Data has one.

    Attributes
    ----------
    redraw : callable or None
        Called when the picture must be drawn anew.
    """

    def __init__(self, *arguments) -> None:
        qt.QObject.__init__(self, *arguments)
        self.redraw: Callable[[], None] | None = None

    def eventFilter(self, watched, event) -> bool:
        """Pass everything on."""
        if self.redraw is not None and event.type() in _EVENTS:
            self.redraw()
        return False


def watch(widget, redraw: Callable[[], None]) -> RedrawFilter:
    """Call `redraw` soon after a picture in a widget has become wrong; keep what is returned.

    Soon, and once for many events: when a widget hears of its new size, those around it that the picture
    is drawn after may not yet have theirs.
    """
    soon = qt.QTimer(widget)
    soon.setSingleShot(True)
    soon.setInterval(0)
    soon.connect("timeout()", redraw)
    watcher = RedrawFilter()
    watcher.redraw = soon.start
    widget.installEventFilter(watcher)
    return watcher
