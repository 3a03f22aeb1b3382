"""Background work in small steps on the main thread while the user does not interact."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer

# After this time, or a longer step, the application processes its events.
_TURN_SECONDS = 0.03
_PAUSE_MS = 20
# Background work continues when the user has not moved a slider for this long.
_PAUSE_SECONDS = 1.0

_lastInteraction = -_PAUSE_SECONDS


def noteInteraction() -> None:
    """Note that the user moves a slider, so that background work pauses."""
    global _lastInteraction
    _lastInteraction = time.monotonic()


def userPauses() -> bool:
    """Check whether the user has not moved a slider for a while."""
    return time.monotonic() - _lastInteraction >= _PAUSE_SECONDS


class IdleWork:
    """Runs a generator step by step, with pauses in which Qt processes events."""

    def __init__(self) -> None:
        self._steps: Generator[Any, None, Any] | None = None
        self._onDone: Callable[[Any], None] = lambda result: None
        self._timer = singleShotTimer(self._turn, _PAUSE_MS)

    @property
    def running(self) -> bool:
        """Whether work is left."""
        return self._steps is not None

    def start(self, steps: Generator[Any, None, Any], onDone: Callable[[Any], None]) -> None:
        """Run a generator instead of the previous one; `onDone` is called with what it returns."""
        self.stop()
        self._steps, self._onDone = steps, onDone
        self._timer.start()

    def stop(self) -> None:
        """Abandon the work."""
        self._timer.stop()
        if self._steps is not None:
            steps, self._steps = self._steps, None
            steps.close()

    def _turn(self) -> None:
        steps = self._steps
        if steps is None:
            return
        if not userPauses():
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
            # Otherwise it would be raised again in every turn.
            self._steps = None
            raise
        self._timer.start()
