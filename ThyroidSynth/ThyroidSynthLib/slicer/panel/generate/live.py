"""A preview that keeps up with a hand at a slider: the newest wish wins, and rest brings the exact result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.slicer.panel.shared.idle import noteInteraction

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.session import Session, Work

REST_MS = 350
"""How long a hand must rest until the exact result is made."""

# How soon to look again whether another operation has ended.
_RETRY_MS = 20


class LivePreview:
    """Calls one quick step a turn of the event loop while wishes change, and a thorough one when they rest.

    The thorough step may take a second. It lets the application go on, nothing is disabled meanwhile, and
    it is given up at once when a wish changes.

    Parameters
    ----------
    session : Session
        Its progress shows the thorough step, which Cancel ends too.
    title : str
        What the thorough step is called.
    follow : callable
        The quick step.
    rest : callable
        The thorough step; its argument is a `Work`, whose `stopRequested` it asks often.
    """

    def __init__(
        self, session: Session, title: str, *, follow: Callable[[], None], rest: Callable[[Work], None]
    ) -> None:
        self._session, self._title = session, title
        self._follow, self._rest = follow, rest
        self._resting: Work | None = None
        self._givenUp = False
        self._turn = self._timer(self._onTurn)
        self._pause = self._timer(self._onPause)

    @property
    def pending(self) -> bool:
        """Whether a step is still to come, or runs."""
        return self._turn.isActive() or self._pause.isActive() or self._resting is not None

    def changed(self) -> None:
        """Follow wishes that have changed."""
        noteInteraction()
        self._giveUp()
        self._turn.start(0)
        self._pause.start(REST_MS)

    def stop(self) -> None:
        """Forget what was to come, and give up what runs."""
        self._giveUp()
        self._turn.stop()
        self._pause.stop()

    def _giveUp(self) -> None:
        if self._resting is not None:
            self._givenUp = True
            self._resting.cancel()

    def _onTurn(self) -> None:
        if self._session.busy:
            # Within the event loop of an operation: after it, or when it has been given up.
            self._turn.start(_RETRY_MS)
            return
        with self._session.errorsShown():
            self._follow()
        if self._pause.isActive():
            # The hand could not move on while the step was made: where that is slow, it has not rested yet.
            self._pause.start(REST_MS)

    def _onPause(self) -> None:
        if self._session.busy or self._turn.isActive():
            self._pause.start(_RETRY_MS)
            return
        self._givenUp = False
        with self._session.work(self._title, blocking=False) as work:
            self._resting = work
            try:
                self._rest(work)
            except Cancelled:
                if not self._givenUp:
                    raise
            finally:
                self._resting = None

    @staticmethod
    def _timer(slot: Callable[[], None]):
        timer = qt.QTimer()
        timer.setSingleShot(True)
        timer.connect("timeout()", slot)
        return timer
