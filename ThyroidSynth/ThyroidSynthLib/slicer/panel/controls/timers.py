"""Timers of the panel."""

from __future__ import annotations

from collections.abc import Callable

import qt


def singleShotTimer(slot: Callable[[], None], milliseconds: int = 0):
    """Return a stopped QTimer that calls a slot once after each start.

    With 0 ms the slot is called after the running code has ended, and once for many starts.
    """
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", slot)
    return timer
