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
        Called with the watched widget.
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
    """Call `redraw` whenever a picture in a widget must be drawn anew; keep what is returned."""
    watcher = RedrawFilter()
    watcher.redraw = redraw
    widget.installEventFilter(watcher)
    return watcher
