"""The button Copy diagnostics."""

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
    """Copies diagnostics to the clipboard, once a background process has described the computer.

    `job` returns the chosen job, or None.
    """

    def __init__(self, button, session: Session, job: Callable[[], JobFolder | None]) -> None:
        self._button, self._session, self._job = button, session, job
        self._estimator = Estimator()
        self._estimator.onResult = self._copy
        button.connect("clicked(bool)", self._onClicked)

    def release(self) -> None:
        """Stop waiting for the description of the computer."""
        self._estimator.cancel()
        self._button.enabled = True

    def _onClicked(self, checked: bool = False) -> None:
        self._button.enabled = False
        self._session.showStatus(_("Collecting diagnostics…"))
        self._estimator.cancel()
        self._estimator.request(EstimateRequest())
        if self._estimator.result is not None:
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
        self._session.showStatus(_("The diagnostics were copied to the clipboard. Paste them into your report."))


def applicationVersions() -> dict[str, str]:
    """Return the versions of the application, by name."""
    app = slicer.app
    return {
        "Slicer": f"{app.applicationVersion} (revision {app.repositoryRevision}, {app.releaseType}, {app.platform})",
        "Installed": "yes" if app.isInstalled else "no, a build tree",
    }
