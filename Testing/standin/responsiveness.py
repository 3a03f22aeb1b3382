"""Measures how long a module keeps the main thread from drawing and listening.

A *stretch* is what a slot computes without letting the application process its events. Only CPU time
of the main thread counts, so that a busy machine makes no slot slow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stretch:
    """What a slot computed without a turn of the event loop.

    Attributes
    ----------
    what : str
        Signal and function.
    seconds : float
        CPU time of the main thread.
    excused : bool
        Whether progress was shown, with a way to cancel, when it began.
    """

    what: str
    seconds: float
    excused: bool


@dataclass
class Stopwatch:
    """Stretches of all slots since :meth:`start`.

    Attributes
    ----------
    excuse : callable
        Says whether the module shows progress right now.
    """

    excuse: Callable[[], bool] = lambda: False
    stretches: list[Stretch] = field(default_factory=list)
    running: bool = False
    _open: list[tuple[str, float, bool]] = field(default_factory=list)

    def start(self, excuse: Callable[[], bool]) -> None:
        """Measure from now on."""
        self.stretches.clear()
        self.excuse, self.running = excuse, True

    def stop(self) -> None:
        """Measure no longer; the stretches stay to be looked at."""
        self.running, self.excuse = False, lambda: False

    def slower_than(self, seconds: float, excused: bool = False) -> list[Stretch]:
        """Return the stretches that took longer, with or without progress."""
        return [each for each in self.stretches if each.seconds > seconds and each.excused is excused]

    @contextmanager
    def slot(self, what: str) -> Iterator[None]:
        """Measure a slot."""
        self._begin(what)
        try:
            yield
        finally:
            self._end()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Do not count what happens meanwhile to the slot that lets it happen."""
        waiting = self._end() if self._open else None
        try:
            yield
        finally:
            if waiting is not None:
                self._begin(waiting)

    def split(self) -> None:
        """Begin a new stretch: progress has just begun or ended."""
        with self.turn():
            pass

    def _begin(self, what: str) -> None:
        self._open.append((what, time.thread_time(), self.excuse()))

    def _end(self) -> str:
        what, began, excused = self._open.pop()
        if self.running:
            self.stretches.append(Stretch(what, time.thread_time() - began, excused))
        return what


stopwatch = Stopwatch()
