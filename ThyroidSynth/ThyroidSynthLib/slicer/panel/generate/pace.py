"""How finely a shape is decoded while a hand is at a slider: as finely as keeps up with the hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# What a step may take, so that it and the drawing of the views stay below a tenth of a second, where a change
# still seems to follow the hand.
_BUDGET_SECONDS = 0.035
# A change of the resolution is seen, and costs a search from nothing: only where it is worth it.
_TOO_SLOW, _SURELY_FAST = 1.25, 0.75
# Weight of the newest step in the mean: one slow step among quick ones, such as the first, changes nothing.
_NEWEST = 0.15


class Pace:
    """Chooses a resolution from how long the last steps took.

    Attributes
    ----------
    resolutions : tuple of int
        Those it chooses from, finest first.
    resolution : int
        The one to decode the next step at.
    """

    resolutions = (64, 48, 32)

    def __init__(self) -> None:
        self.resolution = self.resolutions[0]
        self._seconds = _SURELY_FAST * _BUDGET_SECONDS

    @contextmanager
    def step(self) -> Iterator[int]:
        """Take the time of a step that is made at the resolution given."""
        started = time.perf_counter()
        yield self.resolution
        self.took(time.perf_counter() - started)

    def took(self, seconds: float) -> None:
        """Learn how long a step took."""
        self._seconds = (1 - _NEWEST) * self._seconds + _NEWEST * seconds
        if self._seconds > _TOO_SLOW * _BUDGET_SECONDS:
            coarser = [each for each in self.resolutions if each < self.resolution]
            self._change(next(iter(coarser), self.resolution))
        else:
            finer = [each for each in reversed(self.resolutions) if each > self.resolution]
            if finer and self._foretold(finer[0]) < _SURELY_FAST * _BUDGET_SECONDS:
                self._change(finer[0])

    def _foretold(self, resolution: int) -> float:
        """Say how long a step would take: the surface is an area."""
        return self._seconds * (resolution / self.resolution) ** 2

    def _change(self, resolution: int) -> None:
        if resolution != self.resolution:
            self._seconds, self.resolution = self._foretold(resolution), resolution
