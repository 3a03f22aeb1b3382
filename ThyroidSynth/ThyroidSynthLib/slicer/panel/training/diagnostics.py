"""The button "Copy diagnostics": what helps to find a fault, on the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.jobs.diagnostics import diagnostics_text
from ThyroidSynthLib.jobs.estimate import EstimateRequest

from .estimate import Estimator

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.jobs.job import JobFolder
    from ThyroidSynthLib.slicer.panel.shared.session import Session


class DiagnosticsButton:
    """Copies the diagnostics as soon as this computer has said what it is, which takes seconds once.

    Parameters
    ----------
    button : QPushButton
        The button.
    session : Session
        Knows the last error and says when it is done.
    job : callable
        Gives the job the diagnostics are about, or None.
    """

    def __init__(self, button, session: Session, job: Callable[[], JobFolder | None]) -> None:
        self._button, self._session, self._job = button, session, job
        self._estimator = Estimator()
        self._estimator.onAnswer = self._copy
        button.connect("clicked(bool)", self._onClicked)

    def release(self) -> None:
        """Await no answer any more."""
        self._estimator.cancel()
        self._button.enabled = True

    def _onClicked(self, checked: bool = False) -> None:
        self._button.enabled = False
        self._session.showStatus(_("Collecting diagnostics…"))
        self._estimator.cancel()
        self._estimator.ask(EstimateRequest())
        if self._estimator.answer is not None:
            self._copy()

    def _copy(self) -> None:
        text = diagnostics_text(
            application=applicationVersions(),
            machine=self._estimator.machine,
            job=self._job(),
            last_error=self._session.lastError or self._estimator.problem,
        )
        slicer.app.clipboard().setText(text)
        self._button.enabled = True
        self._session.showStatus(_("The diagnostics are on the clipboard; paste them where you ask for help."))


def applicationVersions() -> dict[str, str]:
    """Give what the application says of itself."""
    app = slicer.app
    return {
        "Slicer": f"{app.applicationVersion} (revision {app.repositoryRevision}, {app.releaseType}, {app.platform})",
        "Installed": "yes" if app.isInstalled else "no, a build tree",
    }
