"""How long a training will take and on what, found out in the background while the user chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import qt

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.jobs.estimate import BackgroundEstimate, EstimateRequest, EstimateResult
from ThyroidSynthLib.jobs.machine import Machine
from ThyroidSynthLib.slicer.panel.shared.dependencies import pythonExecutable

_SETTLE_MS = 700
_POLL_MS = 200


class Estimator:
    """Asks a process of its own once the choices rest, and remembers what it answered.

    Attributes
    ----------
    onAnswer : callable
        Called when there is an answer to the last question, or it has failed.
    machine : Machine or None
        The computer as it was seen last.
    """

    def __init__(self) -> None:
        self.onAnswer: Callable[[], None] = lambda: None
        self.machine: Machine | None = None
        self._question: EstimateRequest | None = None
        self._answers: dict[EstimateRequest, EstimateResult] = {}
        self._problem = ""
        self._inquiry: BackgroundEstimate | None = None
        self._targets: EstimateRequest | None = None
        self._settling = qt.QTimer()
        self._settling.setSingleShot(True)
        self._settling.setInterval(_SETTLE_MS)
        self._settling.connect("timeout()", self._begin)
        self._polling = qt.QTimer()
        self._polling.setInterval(_POLL_MS)
        self._polling.connect("timeout()", self._poll)

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._inquiry is not None or self._settling.active

    @property
    def answer(self) -> EstimateResult | None:
        """What is known of the last question; of checked cases also what was known before the check."""
        if self._question is None:
            return None
        known = self._answers.get(_key(self._question))
        return known or self._answers.get(_key(replace(self._question, checked_cases=None)))

    @property
    def problem(self) -> str:
        """Why there is no answer; empty while one may come."""
        return self._problem

    def ask(self, question: EstimateRequest) -> None:
        """Ask, unless that is known or asked already; a question before is forgotten."""
        if self._question is not None and _key(question) == _key(self._question):
            return
        self._question, self._problem = question, ""
        self._end()
        if self.answer is None:
            self._settling.start()

    def cancel(self) -> None:
        """Ask nothing any more; what is known stays known."""
        self._question = None
        self._end()

    def _end(self) -> None:
        self._settling.stop()
        self._polling.stop()
        if self._inquiry is not None:
            self._inquiry.cancel()
            self._inquiry = None

    def _begin(self) -> None:
        self._targets = self._question
        try:
            self._inquiry = BackgroundEstimate(pythonExecutable(), self._question)
        except ThyroidSynthError as error:
            self._problem = str(error)
            self.onAnswer()
            return
        self._polling.start()

    def _poll(self) -> None:
        try:
            answer = self._inquiry.poll()
        except ThyroidSynthError as error:
            self._inquiry, self._problem = None, str(error)
        else:
            if answer is None:
                return
            self._inquiry = None
            self._answers[_key(self._targets)] = answer
            self.machine = answer.machine
        self._polling.stop()
        self.onAnswer()


def _key(question: EstimateRequest) -> EstimateRequest:
    """What a question's answer depends on, so that no tick and no other number of epochs asks again."""
    if question.settings is None:
        return question
    settings = replace(question.settings, epochs=1, seed=0)
    return replace(question, settings=settings, checked_cases=None if question.checked_cases is None else 1)
