"""The part of the section that prepares a training: its data, the computer and the estimated duration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json
from ThyroidSynthLib.dataset.splits import held_out_count
from ThyroidSynthLib.jobs.estimate import EstimateRequest
from ThyroidSynthLib.jobs.job_options import is_prepared
from ThyroidSynthLib.jobs.machine import installed_torch
from ThyroidSynthLib.model.presets import alignment_for, settings_for
from ThyroidSynthLib.slicer.panel.controls.drawing import showWarning
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet

from .estimate import Estimator
from .judging import CaseJudging
from .wording import alignmentText, estimateText, machineText, paceText, restText, warningText

if TYPE_CHECKING:
    from ThyroidSynthLib.jobs.job import JobFolder
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode
    from ThyroidSynthLib.slicer.panel.shared.session import Session

    from .job_status import JobStatus


class TrainingSetup:
    """Shows the data of a training, the computer and the estimated duration."""

    def __init__(self, ui, session: Session) -> None:
        self._ui, self._session = ui, session
        self._cases = CaseJudging(ui, session)
        self._cases.onDecided = self._onResult
        self._estimator = Estimator()
        self._estimator.onResult = self._onResult
        self._job: JobFolder | None = None
        self._choices: tuple | None = None
        self._cohort: tuple[tuple, str] = ((), "")
        self._shown: tuple[ThyroidSynthParameterNode, JobStatus] | None = None
        # The settings that cannot be changed for a training that goes on; the device can.
        self._settings = (
            *(ui.trainingDataPathEdit, ui.variantSelector, ui.presetSelector),
            *(ui.epochsSpinBox, ui.trainingSeedSpinBox, ui.heldOutSpinBox),
        )

    def changed(self, parameters: ThyroidSynthParameterNode) -> bool:
        """Check whether the settings of the training have changed since they were last shown."""
        return _choices(parameters) != self._choices

    def release(self) -> None:
        """Stop the estimate and forget the job."""
        self._cases.release()
        self._estimator.cancel()
        self._job, self._choices, self._shown = None, None, None

    def beforeSave(self) -> None:
        """Restore the views for the file."""
        self._cases.view.pause()

    def afterSave(self) -> None:
        """Show the training case again."""
        self._cases.view.resume()

    def show(
        self, parameters: ThyroidSynthParameterNode, job: JobFolder | None, status: JobStatus, *, opened: bool
    ) -> None:
        """Update the widgets; out of sight nothing is read or estimated, and no case is shown."""
        self._job, self._choices, self._shown = job, _choices(parameters), (parameters, status)
        for widget in self._settings:
            widget.enabled = not status.locked
        if not opened:
            self._estimator.cancel()
            self._cases.hideCase()
            return
        source = parameters.trainingData
        self._showSource(source, parameters.preset.value)
        self._cases.show(source, job, status)
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
        elif status.locked and state is not None and state.epochs and status.seconds_per_epoch is not None:
            self._estimator.cancel()
            text = restText(status.seconds_per_epoch, state.epochs - state.epoch, state.epochs)
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
        epochs, cases = parameters.epochs or settings.epochs, self._cases.accepted
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


def _choices(parameters: ThyroidSynthParameterNode) -> tuple:
    names = ("trainingData", "job", "variant", "preset", "device", "epochs", "trainingSeed", "heldOutPercent")
    return tuple(getattr(parameters, name) for name in names)


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
