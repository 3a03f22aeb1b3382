"""A preview that follows a slider, and the exact result when the slider rests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer

from .idle import noteInteraction

if TYPE_CHECKING:
    from .session import Session, Work

REST_MS = 350
"""Time without a change after which the exact result is made."""

# A number that is being typed is followed when no digit was typed for this long: "12" passes through 1 mL.
_TYPING_MS = 500
# Interval at which the end of another operation is checked.
_RETRY_MS = 20


class LivePreview:
    """Calls a fast function while targets change, and an exact one when they have not changed for a while.

    The exact function may take seconds. Meanwhile events are processed and the panel stays enabled; it is
    cancelled when a target changes.

    Parameters
    ----------
    title : str
        Shown as progress of the exact function.
    follow, rest : callable
        The fast and the exact function. The latter calls `shouldStop` of its `Work` often.
    """

    def __init__(
        self, session: Session, title: str, *, follow: Callable[[], None], rest: Callable[[Work], None]
    ) -> None:
        self._session, self._title = session, title
        self._follow, self._rest = follow, rest
        self._resting: Work | None = None
        self._superseded = False
        self._turn = singleShotTimer(self._onTurn)
        self._pause = singleShotTimer(self._onPause)

    @property
    def pending(self) -> bool:
        """Whether a call is due or running."""
        return self.follows or self._resting is not None

    @property
    def follows(self) -> bool:
        """Whether targets that have changed will be followed."""
        return self._turn.isActive() or self._pause.isActive()

    def changed(self) -> None:
        """Follow targets that have changed."""
        noteInteraction()
        self._supersede()
        focused = qt.QApplication.focusWidget()
        isTyped = focused is not None and focused.inherits("QAbstractSpinBox")
        self._turn.start(_TYPING_MS if isTyped else 0)
        self._pause.start(REST_MS)

    def stop(self) -> None:
        """Cancel what is due or running."""
        self._supersede()
        self._turn.stop()
        self._pause.stop()

    def _supersede(self) -> None:
        if self._resting is not None:
            self._superseded = True
            self._resting.cancel()

    def _onTurn(self) -> None:
        if self._session.busy:
            # An operation is processing events: try again when it has ended.
            self._turn.start(_RETRY_MS)
            return
        with self._session.errorsShown(self._title):
            self._follow()
        if self._pause.isActive():
            # The slider could not be moved during the call, so that its duration does not count as rest.
            self._pause.start(REST_MS)

    def _onPause(self) -> None:
        if self._session.busy or self._turn.isActive():
            self._pause.start(_RETRY_MS)
            return
        self._superseded = False
        with self._session.work(self._title, blocking=False) as work:
            self._resting = work
            try:
                self._rest(work)
            except Cancelled:
                if not self._superseded:
                    raise
            finally:
                self._resting = None
