"""The resolution at which shapes are decoded while a slider is dragged, chosen by the speed of the computer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Time for a step, so that it and redrawing the views take less than a tenth of a second, which feels immediate.
_BUDGET_SECONDS = 0.035
# Factors of the budget. A change of resolution is visible and needs a search from scratch, so it must be worth it.
_TOO_SLOW, _FAST_ENOUGH = 1.25, 0.75
# Weight of the newest step in the mean, so that a single slow step, such as the first one, changes nothing.
_NEWEST = 0.15


class Pace:
    """Chooses a resolution from the duration of the last steps.

    Attributes
    ----------
    resolutions : tuple of int
        Resolutions to choose from, finest first.
    resolution : int
        Resolution of the next step.
    """

    resolutions = (64, 48, 32)

    def __init__(self) -> None:
        self.resolution = self.resolutions[0]
        self._seconds = _FAST_ENOUGH * _BUDGET_SECONDS

    @contextmanager
    def step(self) -> Iterator[int]:
        """Measure the duration of a step at the resolution that is returned."""
        started = time.perf_counter()
        yield self.resolution
        self.took(time.perf_counter() - started)

    def took(self, seconds: float) -> None:
        """Take the duration of a step into account."""
        self._seconds = (1 - _NEWEST) * self._seconds + _NEWEST * seconds
        if self._seconds > _TOO_SLOW * _BUDGET_SECONDS:
            self._change(next((each for each in self.resolutions if each < self.resolution), self.resolution))
            return
        finer = next((each for each in reversed(self.resolutions) if each > self.resolution), None)
        if finer is not None and self._expected(finer) < _FAST_ENOUGH * _BUDGET_SECONDS:
            self._change(finer)

    def _expected(self, resolution: int) -> float:
        """Return the expected duration of a step, which grows with the area of the surface."""
        return self._seconds * (resolution / self.resolution) ** 2

    def _change(self, resolution: int) -> None:
        if resolution != self.resolution:
            self._seconds, self.resolution = self._expected(resolution), resolution
