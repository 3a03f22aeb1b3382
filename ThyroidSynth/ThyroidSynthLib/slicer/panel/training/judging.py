"""Judging the cases of a training: verdicts in a table, manual decisions, and the selected case in the views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.dataset.case_preparation import recorded_source
from ThyroidSynthLib.dataset.quality_table import QUALITY_FILE, read_quality_table
from ThyroidSynthLib.jobs.job_options import decide_cases, is_prepared, quality_file, read_job_config
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet

from .case_view import CaseView
from .cases_table import CasesTable
from .wording import casesText, caseText

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.quality_table import CaseVerdict
    from ThyroidSynthLib.jobs.job import JobFolder
    from ThyroidSynthLib.slicer.panel.shared.session import Session

    from .job_status import JobStatus


class CaseJudging:
    """Shows the verdicts on the cases, lets the user change them, and shows the selected case in the views.

    Attributes
    ----------
    onDecided : callable
        Called when the user has included or excluded a case.
    view : CaseView
        Shows the selected case.
    """

    def __init__(self, ui, session: Session) -> None:
        self.onDecided: Callable[[], None] = lambda: None
        self._ui, self._session = ui, session
        self._table = CasesTable(ui.casesTable)
        self._table.onDecided = self._onDecided
        self._table.onSelected = self._onSelected
        self.view = CaseView(session)
        self._job: JobFolder | None = None
        self._file: Path | None = None
        self._key: tuple | None = None
        ui.caseInfoLabel.visible = False
        ui.caseCtCheckBox.connect("toggled(bool)", lambda checked: self._onSelected(self._table.selected))

    @property
    def accepted(self) -> int | None:
        """Number of cases to be used; None if they were not checked."""
        verdicts = self._table.verdicts
        return sum(verdict.accepted for verdict in verdicts) if verdicts else None

    def release(self) -> None:
        """Remove the shown case and forget the job."""
        self.hideCase()
        self._table.release()
        self._job, self._key = None, None

    def hideCase(self) -> None:
        """Remove the shown case from the views and select none."""
        self._table.deselect()
        self._onSelected(None)

    def show(self, source: Path, job: JobFolder | None, status: JobStatus) -> None:
        """Show the verdicts on the cases at a source, by a check for a job, or as stored in a prepared cohort."""
        self._job, ui, prepared = job, self._ui, isSet(source) and is_prepared(source)
        self._file = source / QUALITY_FILE if prepared else self._fileOfJob(source)
        begun = job is not None and job.checkpoint_file.exists() and not prepared
        editable = not (prepared or begun or status.runs)
        key = (self._file, _mtime(self._file), editable, self._decisions())
        if key != self._key:
            self._key = key
            self._table.show(self._verdicts(prepared), editable=editable)
        verdicts = self._table.verdicts
        # Once the training has begun, the room is for its progress.
        judged = bool(verdicts) and not status.locked
        for widget in (ui.casesTable, ui.caseCtCheckBox):
            widget.visible = judged
        if not judged:
            self.hideCase()
        ui.casesBox.visible = bool(verdicts) or (isSet(source) and not prepared)
        ui.checkCasesButton.visible = not prepared and (not begun or status.restart)
        ui.casesLabel.text = casesText(verdicts) if verdicts else _("Optional: check the cases before the training.")

    def _fileOfJob(self, source: Path) -> Path | None:
        config = self._config()
        return quality_file(config) if config.get("input") == str(source.resolve()) else None

    def _config(self) -> dict:
        try:
            return read_job_config(self._job) if self._job is not None else {}
        except ThyroidSynthError:
            return {}

    def _decisions(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        config = self._config()
        return tuple(config.get("include", ())), tuple(config.get("exclude", ()))

    def _verdicts(self, prepared: bool) -> list[CaseVerdict]:
        if self._file is None or not self._file.is_file():
            return []
        try:
            verdicts = read_quality_table(self._file)
        except ThyroidSynthError as error:
            self._session.showStatus(str(error))
            return []
        include, exclude = self._decisions()
        return verdicts if prepared else [_decided(verdict, include, exclude) for verdict in verdicts]

    def _onDecided(self) -> None:
        """Store the manual decisions in the job, which applies them however it is started."""
        job = self._job
        if job is None:
            return
        verdicts = self._table.verdicts
        differing = [verdict for verdict in verdicts if verdict.accepted != verdict.accepted_by_rules]
        with self._session.errorsShown():
            decide_cases(
                job,
                include=[verdict.id for verdict in differing if verdict.accepted],
                exclude=[verdict.id for verdict in differing if not verdict.accepted],
            )
        # The table shows these decisions already and is not filled again.
        self._key = None if self._key is None else (*self._key[:3], self._decisions())
        self._ui.casesLabel.text = casesText(verdicts)
        selected = self._table.selected
        if selected is not None:
            self._ui.caseInfoLabel.text = caseText(selected)
        self.onDecided()

    def _onSelected(self, verdict: CaseVerdict | None) -> None:
        """Show a case in the views instead of the one before; None removes it."""
        text = ""
        if verdict is None or self._file is None or not self._session.hasParameters:
            self.view.clear()
        else:
            text = "\n".join(filter(None, (caseText(verdict), self._show(self._file.parent, verdict.id))))
        self._ui.caseInfoLabel.text = text
        self._ui.caseInfoLabel.visible = bool(text)

    def _show(self, cohort: Path, caseID: str) -> str:
        """Show a case with a record in a cohort folder; return why it cannot be shown, empty if it is."""
        try:
            source = recorded_source(cohort, caseID)
        except InputError as error:
            source, problem = None, str(error)
        else:
            problem = _("The case cannot be shown.")
        if source is None:
            self.view.clear()
            return problem
        return self.view.show(source, withCT=self._ui.caseCtCheckBox.checked)


def _decided(verdict: CaseVerdict, include: tuple[str, ...], exclude: tuple[str, ...]) -> CaseVerdict:
    if verdict.features is None:
        return verdict
    accepted = verdict.id in include or (verdict.accepted_by_rules and verdict.id not in exclude)
    return replace(verdict, accepted=accepted)


def _mtime(path: Path | None) -> int:
    try:
        return path.stat().st_mtime_ns if path is not None else 0
    except OSError:
        return 0
