"""Estimate of a training's duration, computed by a background process while the user chooses settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import qt

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.jobs.estimate import BackgroundEstimate, EstimateRequest, EstimateResult
from ThyroidSynthLib.jobs.machine import Machine
from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.panel.shared.dependencies import pythonExecutable

# A process is started when the settings have not changed for this long.
_SETTLE_MS = 700
_POLL_MS = 200


class Estimator:
    """Runs one background estimate at a time and caches the results.

    Attributes
    ----------
    onResult : callable
        Called when the latest request has a result or has failed.
    machine : Machine or None
        The computer, as described by the latest result.
    problem : str
        Why the latest request failed; empty if it has not.
    """

    def __init__(self) -> None:
        self.onResult: Callable[[], None] = lambda: None
        self.machine: Machine | None = None
        self.problem = ""
        self._request: EstimateRequest | None = None
        self._results: dict[EstimateRequest, EstimateResult] = {}
        self._running: tuple[EstimateRequest, BackgroundEstimate] | None = None
        self._settling = singleShotTimer(self._begin, _SETTLE_MS)
        self._polling = qt.QTimer()
        self._polling.setInterval(_POLL_MS)
        self._polling.connect("timeout()", self._poll)

    @property
    def result(self) -> EstimateResult | None:
        """The result of the latest request; for checked cases, a result from before the check is used too."""
        if self._request is None:
            return None
        known = self._results.get(_key(self._request))
        return known or self._results.get(_key(replace(self._request, checked_cases=None)))

    def request(self, request: EstimateRequest) -> None:
        """Request an estimate in place of the previous one, unless its result is known or on its way."""
        if self._request is not None and _key(request) == _key(self._request):
            return
        self._request, self.problem = request, ""
        self._stop()
        if self.result is None:
            self._settling.start()

    def cancel(self) -> None:
        """Cancel the latest request; results stay cached."""
        self._request = None
        self._stop()

    def _stop(self) -> None:
        self._settling.stop()
        self._polling.stop()
        if self._running is not None:
            self._running[1].cancel()
            self._running = None

    def _begin(self) -> None:
        if self._request is None:
            return
        try:
            self._running = self._request, BackgroundEstimate(pythonExecutable(), self._request)
        except ThyroidSynthError as error:
            self.problem = str(error)
            self.onResult()
            return
        self._polling.start()

    def _poll(self) -> None:
        if self._running is None:
            return
        request, process = self._running
        try:
            result = process.poll()
        except ThyroidSynthError as error:
            self._running, self.problem = None, str(error)
        else:
            if result is None:
                return
            self._running = None
            self._results[_key(request)] = result
            self.machine = result.machine
        self._polling.stop()
        self.onResult()


def _key(request: EstimateRequest) -> EstimateRequest:
    """Return a request without what its result does not depend on: epochs, seed and number of checked cases."""
    if request.settings is None:
        return request
    settings = replace(request.settings, epochs=1, seed=0)
    return replace(request, settings=settings, checked_cases=None if request.checked_cases is None else 1)
