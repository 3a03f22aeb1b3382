"""Work that nobody waits for, done in small steps while the application has nothing else to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import qt

# A step may take longer than this, but then it is the last one before the application has its turn.
_TURN_SECONDS = 0.03
_PAUSE_MS = 20
# How long a hand must have rested before such work goes on: it has the main thread to itself until then.
_REST_SECONDS = 1.0

_handMoved = -_REST_SECONDS


def handMoves() -> None:
    """Note that a hand is at work: what nobody waits for stays out of its way."""
    global _handMoved
    _handMoved = time.monotonic()


def handRests() -> bool:
    """Say whether no hand has been at work for a while."""
    return time.monotonic() - _handMoved >= _REST_SECONDS


class IdleWork:
    """Runs a generator bit by bit, with pauses in which Qt draws and listens."""

    def __init__(self) -> None:
        self._steps: Generator[Any, None, Any] | None = None
        self._onDone: Callable[[Any], None] = lambda result: None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.connect("timeout()", self._turn)

    @property
    def running(self) -> bool:
        """Whether there is work left."""
        return self._steps is not None

    def start(self, steps: Generator[Any, None, Any], onDone: Callable[[Any], None]) -> None:
        """Work on a generator, in place of any other; `onDone` gets what it returns."""
        self.stop()
        self._steps, self._onDone = steps, onDone
        self._timer.start()

    def stop(self) -> None:
        """Drop the work."""
        self._timer.stop()
        if self._steps is not None:
            steps, self._steps = self._steps, None
            steps.close()

    def _turn(self) -> None:
        steps = self._steps
        if steps is None:
            return
        if not handRests():
            self._timer.start()
            return
        end = time.monotonic() + _TURN_SECONDS
        try:
            while time.monotonic() < end:
                next(steps)
        except StopIteration as finished:
            self._steps = None
            self._onDone(finished.value)
            return
        except Exception:
            # Not to be tried again at every turn.
            self._steps = None
            raise
        self._timer.start()
