"""Start, progress and stop of a run in the background, which is found again by its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import qt

from ThyroidSynthLib.export.cohort.cohort_run import CohortRun, CohortState
from ThyroidSynthLib.slicer.panel.shared.dependencies import pythonExecutable
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet
from ThyroidSynthLib.slicer.panel.shared.session import Session

_POLL_EVERY_MS = 700
# A thyroid or a phantom takes seconds: a process that has not stopped within this time is killed.
_STOP_TIMEOUT_S = 60.0


class RunWatch:
    """Monitors the run in a folder that the user chooses, shows its progress, and stops it on request.

    Parameters
    ----------
    session : Session
        The session, whose parameter `name` + "Folder" is the folder.
    ui
        The widgets, of which `name` + "ProgressBar", `name` + "StateLabel" and "stop" + `name` + "Button" are used.
    name : str
        "cohort" or "phantom".
    command : str
        The command that runs, see `CohortRun`.
    text : callable
        Returns what the label says of a state.
    shown : callable
        Called after each look at the folder, to enable the buttons according to `state`.

    Attributes
    ----------
    state : CohortState
        The run as it was last seen; "none" also if no folder is chosen.
    """

    def __init__(
        self,
        session: Session,
        ui,
        name: str,
        command: str,
        *,
        text: Callable[[CohortState], str],
        shown: Callable[[], None],
    ) -> None:
        self.state = CohortState("none")
        self._session, self._parameter, self._command = session, f"{name}Folder", command
        self._bar, self._label = getattr(ui, f"{name}ProgressBar"), getattr(ui, f"{name}StateLabel")
        self._text, self._shown = text, shown
        self._watched: Path | None = None
        self._stoppedAt: float | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_EVERY_MS)
        self._timer.connect("timeout()", self.poll)
        getattr(ui, f"stop{name.capitalize()}Button").connect("clicked(bool)", self._onStop)

    @property
    def run(self) -> CohortRun:
        """The run in the chosen folder."""
        return CohortRun(getattr(self._session.parameters, self._parameter), self._command)

    def start(self, arguments: Sequence[str], *, total: int) -> None:
        """Start the command, see `CohortRun.start`."""
        self.run.start(pythonExecutable(), arguments, total=total)
        self._stoppedAt = None

    def refresh(self) -> None:
        """Monitor another folder if another one has been chosen."""
        folder = self.run.folder
        if self._watched != folder:
            self._watched, self._stoppedAt = folder, None
            self.poll()

    def release(self) -> None:
        """Stop monitoring; the process continues, and its folder in the parameter node identifies it later."""
        self._timer.stop()
        self._watched, self._stoppedAt = None, None

    def poll(self) -> None:
        """Read the state of the run and show it."""
        if not self._session.hasParameters:
            return
        run = self.run
        chosen = isSet(run.folder)
        state = self.state = run.state() if chosen else CohortState("none")
        if state.runs and self._stoppedAt is not None and time.monotonic() - self._stoppedAt > _STOP_TIMEOUT_S:
            run.kill()
        self._bar.value = round(1000 * min(state.done / state.total, 1.0)) if state.total else 0
        self._label.text = self._text(state) if chosen else ""
        self._shown()
        if state.runs and not self._timer.active:
            self._timer.start()
        elif not state.runs:
            self._timer.stop()

    def _onStop(self, checked: bool = False) -> None:
        with self._session.errorsShown():
            self.run.request_stop()
            self._stoppedAt = time.monotonic()
        self.poll()
