"""What a training is to learn from and how: the cases, the computer, and how long it will take."""

from __future__ import annotations

from dataclasses import replace
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
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet
from ThyroidSynthLib.slicer.panel.shared.drawing import showWarning

from .cases import CasesTable
from .estimate import Estimator
from .wording import (
    alignmentText,
    casesText,
    estimateText,
    machineText,
    paceText,
    warningText,
)

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.quality_table import CaseVerdict
    from ThyroidSynthLib.jobs.job import JobFolder, JobState
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode
    from ThyroidSynthLib.slicer.panel.shared.session import Session


class TrainingSetup:
    """Everything that is looked at before a training begins.

    Parameters
    ----------
    ui : object
        The section's widgets by name.
    session : Session
        Shows errors.
    """

    def __init__(self, ui, session: Session) -> None:
        self._ui, self._session = ui, session
        self._cases = CasesTable(ui.casesTable)
        self._cases.onDecided = self._onDecided
        self._estimator = Estimator()
        self._estimator.onAnswer = self._onAnswer
        self._job: JobFolder | None = None
        self._choices: tuple | None = None
        self._read: tuple | None = None
        self._cohort: tuple[tuple, str] = ((), "")
        self._verdicts: list[CaseVerdict] = []
        self._shown: dict = {}

    def changed(self, parameters: ThyroidSynthParameterNode) -> bool:
        """Say whether choices of the training have changed since they were last shown."""
        return _choices(parameters) != self._choices

    def release(self) -> None:
        """Ask and show nothing any more."""
        self._cases.release()
        self._estimator.cancel()
        self._job, self._choices, self._read = None, None, None
        self._shown = {}

    def show(self, parameters: ThyroidSynthParameterNode, job: JobFolder | None, state: JobState | None, **shown):
        """Show the cases, the computer and the duration.

        Parameters
        ----------
        state : JobState, optional
            The job's.
        shown : dict
            `runs`, `opened`, `restart` and `pace`: whether the job runs, whether the section is open,
            whether the user wants to start from scratch, and the seconds of an epoch lately.
        """
        self._job, self._choices, self._shown = job, _choices(parameters), {"parameters": parameters, "state": state}
        self._shown |= shown
        if not shown["opened"]:
            self._estimator.cancel()
            return
        source = parameters.trainingData
        self._showSource(source, parameters.preset.value)
        self._showCases(source)
        self._showDuration()

    def _showSource(self, source: Path, preset: str) -> None:
        if not isSet(source):
            text = ""
        elif not source.is_dir() and not source.is_file():
            text = _("There is nothing at this path.")
        elif is_prepared(source):
            text = self._cohortText(source)
        else:
            text = _("Cases to check and prepare. {alignment}").format(alignment=alignmentText(alignment_for(preset)))
        self._ui.trainingDataInfoLabel.text = text
        self._ui.trainingDataInfoLabel.visible = bool(text)

    def _cohortText(self, folder: Path) -> str:
        key = (folder, _changed(folder / "cohort.json"))
        if self._cohort[0] != key:
            try:
                about = read_json(folder / "cohort.json")
                text = _("Cohort of {cases} cases{synthetic}. {alignment}").format(
                    cases=len(about["cases"]),
                    synthetic=_(", synthetic") if about["synthetic"] else "",
                    alignment=alignmentText(about["frame"]["alignment"]),
                )
            except (InputError, KeyError, TypeError):
                text = _("This cohort is not finished or is damaged; prepare it again.")
            self._cohort = (key, text)
        return self._cohort[1]

    def _showCases(self, source: Path) -> None:
        ui, prepared = self._ui, isSet(source) and is_prepared(source)
        path = self._tableFile(source, prepared)
        begun = self._job is not None and self._job.checkpoint_file.exists() and not prepared
        editable = not (prepared or begun or self._shown["runs"])
        key = (path, _changed(path) if path is not None else 0, editable, self._decisions())
        if key != self._read:
            self._read = key
            self._readTable(path, prepared)
            self._cases.show(self._verdicts, editable=editable)
        # While the training runs, what it does needs the room.
        ui.casesTable.visible = bool(self._verdicts) and not self._shown["runs"]
        ui.casesBox.visible = bool(self._verdicts) or (isSet(source) and not prepared)
        ui.checkCasesButton.visible = not prepared and (not begun or self._shown["restart"])
        ui.checkCasesButton.enabled = not self._shown["runs"]
        if self._verdicts:
            ui.casesLabel.text = casesText(self._verdicts)
        else:
            ui.casesLabel.text = _("Look at every case first, or start at once.")

    def _tableFile(self, source: Path, prepared: bool) -> Path | None:
        """Find the verdicts on the chosen cases: the cohort's, or those the job has made."""
        if prepared:
            return source / "quality.csv"
        config = self._config()
        if config.get("input") != str(source.resolve()):
            return None
        return quality_file(config)

    def _config(self) -> dict:
        try:
            config = self._job.read_config() if self._job is not None else {}
        except InputError:
            return {}
        return config if isinstance(config, dict) else {}

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
        """Keep the user's word with the job, where a training finds it however it is started."""
        self._verdicts = self._cases.verdicts
        differing = [verdict for verdict in self._verdicts if verdict.accepted != verdict.accepted_by_rules]
        with self._session.errorsShown():
            decide_cases(
                self._job,
                include=[verdict.id for verdict in differing if verdict.accepted],
                exclude=[verdict.id for verdict in differing if not verdict.accepted],
            )
        # What the table shows already need not be read and filled again.
        self._read = None if self._read is None else (*self._read[:3], self._decisions())
        self._ui.casesLabel.text = casesText(self._verdicts)
        self._showDuration()

    def _onAnswer(self) -> None:
        if self._shown:
            self._showDuration()

    def _showDuration(self) -> None:
        parameters, ui = self._shown["parameters"], self._ui
        settings = settings_for(parameters.preset.value, parameters.variant.value)
        epochs = parameters.epochs or settings.epochs
        text = warning = ""
        state = self._shown["state"]
        if self._shown["runs"]:
            self._estimator.cancel()
            if state is not None and state.epochs and self._shown["pace"] is not None:
                text = paceText(self._shown["pace"], state.epochs)
        elif state is not None and state.status == "finished" and not self._shown["restart"]:
            self._estimator.cancel()
        elif not installed_torch():
            text = _("The duration can be estimated once PyTorch is installed, which starting a training does.")
        elif isSet(parameters.trainingData) and parameters.trainingData.exists():
            self._estimator.ask(
                EstimateRequest(str(parameters.trainingData), settings, parameters.device.value, self._checkedCases())
            )
            answer = self._estimator.answer
            if answer is None:
                text = self._estimator.problem or _("Measuring how fast this computer trains…")
            elif answer.estimate is None:
                text = answer.problem
            else:
                cases = self._checkedCases()
                estimate = answer.estimate if cases is None else answer.estimate.for_checked(cases)
                try:
                    held_out = held_out_count(parameters.heldOutPercent / 100, estimate.cases)
                except InputError as error:
                    warning = str(error)
                else:
                    estimate = estimate.holding_out(held_out)
                    text = estimateText(estimate, epochs, min(self._epochsDone(), epochs))
                    warning = warningText(estimate, answer.machine, epochs)
        ui.estimateLabel.text = text
        ui.estimateLabel.visible = bool(text)
        showWarning(ui.trainingWarningLabel, warning)
        machine = self._estimator.machine
        ui.deviceInfoLabel.text = machineText(machine, parameters.device.value) if machine is not None else ""
        ui.deviceInfoLabel.visible = machine is not None

    def _epochsDone(self) -> int:
        """Epochs that a resumed training need not do again."""
        state = self._shown["state"]
        begun = self._job is not None and self._job.checkpoint_file.exists() and not self._shown["restart"]
        return state.epoch if begun and state is not None and state.status != "finished" else 0

    def _checkedCases(self) -> int | None:
        """Number of cases that will be learnt from, where they were checked."""
        return sum(verdict.accepted for verdict in self._verdicts) if self._verdicts else None


def _choices(parameters: ThyroidSynthParameterNode) -> tuple:
    names = ("trainingData", "job", "variant", "preset", "device", "epochs", "trainingSeed", "heldOutPercent")
    return tuple(getattr(parameters, name) for name in names)


def _decided(verdict: CaseVerdict, include: tuple[str, ...], exclude: tuple[str, ...]) -> CaseVerdict:
    if verdict.features is None:
        return verdict
    wanted = verdict.id in include or (verdict.accepted_by_rules and verdict.id not in exclude)
    return replace(verdict, accepted=wanted)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
