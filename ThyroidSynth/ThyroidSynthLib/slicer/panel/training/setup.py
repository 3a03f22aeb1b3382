"""The part of the section that prepares a training: its cases, the computer and the estimated duration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json
from ThyroidSynthLib.dataset.quality_table import read_quality_table
from ThyroidSynthLib.dataset.splits import held_out_count
from ThyroidSynthLib.jobs.estimate import EstimateRequest
from ThyroidSynthLib.jobs.job_options import decide_cases, is_prepared, quality_file
from ThyroidSynthLib.jobs.machine import installed_torch
from ThyroidSynthLib.model.presets import alignment_for, settings_for
from ThyroidSynthLib.slicer.panel.shared.drawing import showWarning
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet

from .cases import CasesTable
from .estimate import Estimator
from .wording import alignmentText, casesText, estimateText, machineText, paceText, warningText

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.quality_table import CaseVerdict
    from ThyroidSynthLib.jobs.job import JobFolder, JobState
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode
    from ThyroidSynthLib.slicer.panel.shared.session import Session


@dataclass(frozen=True)
class JobStatus:
    """State of the chosen job (None without one), and whether the user wants to start it from scratch."""

    state: JobState | None = None
    runs: bool = False
    restart: bool = False
    seconds_per_epoch: float | None = None


class TrainingSetup:
    """Shows the cases of a training, the computer and the estimated duration."""

    def __init__(self, ui, session: Session) -> None:
        self._ui, self._session = ui, session
        self._cases = CasesTable(ui.casesTable)
        self._cases.onDecided = self._onDecided
        self._estimator = Estimator()
        self._estimator.onResult = self._onResult
        self._job: JobFolder | None = None
        self._choices: tuple | None = None
        self._tableKey: tuple | None = None
        self._cohort: tuple[tuple, str] = ((), "")
        self._verdicts: list[CaseVerdict] = []
        self._shown: tuple[ThyroidSynthParameterNode, JobStatus] | None = None

    def changed(self, parameters: ThyroidSynthParameterNode) -> bool:
        """Check whether the settings of the training have changed since they were last shown."""
        return _choices(parameters) != self._choices

    def release(self) -> None:
        """Stop the estimate and forget the job."""
        self._cases.release()
        self._estimator.cancel()
        self._job, self._choices, self._tableKey = None, None, None
        self._shown = None

    def show(
        self, parameters: ThyroidSynthParameterNode, job: JobFolder | None, status: JobStatus, *, opened: bool
    ) -> None:
        """Update the widgets; in a collapsed section nothing is read or estimated."""
        self._job, self._choices, self._shown = job, _choices(parameters), (parameters, status)
        if not opened:
            self._estimator.cancel()
            return
        source = parameters.trainingData
        self._showSource(source, parameters.preset.value)
        self._showCases(source, status)
        self._showEstimate(parameters, status)

    def _showSource(self, source: Path, preset: str) -> None:
        if not isSet(source):
            text = ""
        elif not source.is_dir() and not source.is_file():
            text = _("This path does not exist.")
        elif is_prepared(source):
            text = self._cohortText(source)
        else:
            text = _("Cases to check and prepare. {alignment}").format(alignment=alignmentText(alignment_for(preset)))
        self._ui.trainingDataInfoLabel.text = text
        self._ui.trainingDataInfoLabel.visible = bool(text)

    def _cohortText(self, folder: Path) -> str:
        key = (folder, _mtime(folder / "cohort.json"))
        if self._cohort[0] != key:
            try:
                cohort = read_json(folder / "cohort.json")
                text = _("Cohort of {cases} cases{synthetic}. {alignment}").format(
                    cases=len(cohort["cases"]),
                    synthetic=_(", synthetic") if cohort["synthetic"] else "",
                    alignment=alignmentText(cohort["frame"]["alignment"]),
                )
            except (InputError, KeyError, TypeError):
                text = _("This cohort is incomplete or damaged. Prepare it again.")
            self._cohort = (key, text)
        return self._cohort[1]

    def _showCases(self, source: Path, status: JobStatus) -> None:
        ui, prepared = self._ui, isSet(source) and is_prepared(source)
        path = self._tableFile(source, prepared)
        begun = self._job is not None and self._job.checkpoint_file.exists() and not prepared
        editable = not (prepared or begun or status.runs)
        key = (path, _mtime(path) if path is not None else 0, editable, self._decisions())
        if key != self._tableKey:
            self._tableKey = key
            self._readTable(path, prepared)
            self._cases.show(self._verdicts, editable=editable)
        # Hidden while the training runs, to make room for its progress.
        ui.casesTable.visible = bool(self._verdicts) and not status.runs
        ui.casesBox.visible = bool(self._verdicts) or (isSet(source) and not prepared)
        ui.checkCasesButton.visible = not prepared and (not begun or status.restart)
        ui.checkCasesButton.enabled = not status.runs
        if self._verdicts:
            ui.casesLabel.text = casesText(self._verdicts)
        else:
            ui.casesLabel.text = _("Optional: check the cases before the training.")

    def _tableFile(self, source: Path, prepared: bool) -> Path | None:
        """Return the quality table of the cases: that of the prepared cohort, or that of the job."""
        if prepared:
            return source / "quality.csv"
        config = self._config()
        if config.get("input") != str(source.resolve()):
            return None
        return quality_file(config)

    def _config(self) -> dict:
        try:
            return self._job.read_config() if self._job is not None else {}
        except InputError:
            return {}

    def _decisions(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        config = self._config()
        return tuple(config.get("include", ())), tuple(config.get("exclude", ()))

    def _readTable(self, path: Path | None, prepared: bool) -> None:
        self._verdicts = []
        if path is None or not path.is_file():
            return
        try:
            verdicts = read_quality_table(path)
        except ThyroidSynthError as error:
            self._session.showStatus(str(error))
            return
        if not prepared:
            include, exclude = self._decisions()
            verdicts = [_decided(verdict, include, exclude) for verdict in verdicts]
        self._verdicts = verdicts

    def _onDecided(self) -> None:
        """Store the manual decisions in the job, which applies them however it is started."""
        job = self._job
        if job is None:
            return
        self._verdicts = self._cases.verdicts
        differing = [verdict for verdict in self._verdicts if verdict.accepted != verdict.accepted_by_rules]
        with self._session.errorsShown():
            decide_cases(
                job,
                include=[verdict.id for verdict in differing if verdict.accepted],
                exclude=[verdict.id for verdict in differing if not verdict.accepted],
            )
        # The table shows these decisions already and is not filled again.
        self._tableKey = None if self._tableKey is None else (*self._tableKey[:3], self._decisions())
        self._ui.casesLabel.text = casesText(self._verdicts)
        self._onResult()

    def _onResult(self) -> None:
        if self._shown is not None:
            self._showEstimate(*self._shown)

    def _showEstimate(self, parameters: ThyroidSynthParameterNode, status: JobStatus) -> None:
        ui, state = self._ui, status.state
        text = warning = ""
        if status.runs:
            self._estimator.cancel()
            if state is not None and state.epochs and status.seconds_per_epoch is not None:
                text = paceText(status.seconds_per_epoch, state.epochs)
        elif state is not None and state.status == "finished" and not status.restart:
            self._estimator.cancel()
        elif not installed_torch():
            text = _("The duration can be estimated once PyTorch is installed. Starting a training installs it.")
        elif isSet(parameters.trainingData) and parameters.trainingData.exists():
            text, warning = self._estimateTexts(parameters, status)
        ui.estimateLabel.text = text
        ui.estimateLabel.visible = bool(text)
        showWarning(ui.trainingWarningLabel, warning)
        machine = self._estimator.machine
        ui.deviceInfoLabel.text = machineText(machine, parameters.device.value) if machine is not None else ""
        ui.deviceInfoLabel.visible = machine is not None

    def _estimateTexts(self, parameters: ThyroidSynthParameterNode, status: JobStatus) -> tuple[str, str]:
        """Request the estimate for these settings and return what is known of it, and a warning."""
        settings = settings_for(parameters.preset.value, parameters.variant.value)
        epochs, cases = parameters.epochs or settings.epochs, self._checkedCases()
        self._estimator.request(EstimateRequest(str(parameters.trainingData), settings, parameters.device.value, cases))
        result = self._estimator.result
        if result is None:
            return self._estimator.problem or _("Measuring the speed of this computer…"), ""
        if result.estimate is None:
            return result.problem, ""
        estimate = result.estimate if cases is None else result.estimate.for_checked(cases)
        try:
            estimate = estimate.holding_out(held_out_count(parameters.heldOutPercent / 100, estimate.cases))
        except InputError as error:
            return "", str(error)
        text = estimateText(estimate, epochs, min(self._epochsDone(status), epochs))
        return text, warningText(estimate, result.machine, epochs)

    def _epochsDone(self, status: JobStatus) -> int:
        """Return the completed epochs of a training that would be resumed."""
        state = status.state
        begun = self._job is not None and self._job.checkpoint_file.exists() and not status.restart
        return state.epoch if begun and state is not None and state.status != "finished" else 0

    def _checkedCases(self) -> int | None:
        """Return the number of cases to be used; None if they were not checked."""
        return sum(verdict.accepted for verdict in self._verdicts) if self._verdicts else None


def _choices(parameters: ThyroidSynthParameterNode) -> tuple:
    names = ("trainingData", "job", "variant", "preset", "device", "epochs", "trainingSeed", "heldOutPercent")
    return tuple(getattr(parameters, name) for name in names)


def _decided(verdict: CaseVerdict, include: tuple[str, ...], exclude: tuple[str, ...]) -> CaseVerdict:
    if verdict.features is None:
        return verdict
    accepted = verdict.id in include or (verdict.accepted_by_rules and verdict.id not in exclude)
    return replace(verdict, accepted=accepted)


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
