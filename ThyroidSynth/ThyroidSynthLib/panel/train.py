"""Section "Training": a shape model trained in the background, found again by its job folder."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from ..errors import InputError, ThyroidSynthError
from ..learning.background import StopSequence, start_detached, train_script
from ..learning.job import JobFolder
from ..learning.job_options import JobOptions, job_for
from .parameters import isSet
from .section import Section
from .wording import durationText

if TYPE_CHECKING:
    from ..learning.job import JobState

POLL_EVERY_MS = 700


class TrainSection(Section):
    """Starts a job as a process of its own, watches its folder, and stops it."""

    uiFile = "Train.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._stopping: StopSequence | None = None
        self._watched: Path | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_EVERY_MS)
        self._timer.connect("timeout()", self._poll)
        self.ui.startButton.connect("clicked(bool)", self._onStart)
        self.ui.stopButton.connect("clicked(bool)", self._onStop)
        self.ui.useModelButton.connect("clicked(bool)", self._onUseModel)

    def release(self) -> None:
        """Let go of the scene and of the parameters."""
        # The training goes on: it is a process of its own, and its folder stays in the saved scene.
        self._timer.stop()
        self._stopping, self._watched = None, None

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        for path, edit in (
            (self.parameters.trainingData, self.ui.trainingDataPathEdit),
            (self.parameters.job, self.ui.jobPathEdit),
        ):
            if not isSet(path) and edit.currentPath == ".":
                edit.currentPath = ""
        if self._watched != self.parameters.job:
            self._stopping, self._watched = None, self.parameters.job
            self._poll()
        self._enable(self._state())

    def _job(self) -> JobFolder | None:
        job = JobFolder(self.parameters.job)
        return job if isSet(self.parameters.job) and job.exists() else None

    def _state(self) -> JobState | None:
        job = self._job()
        try:
            return job.read_state() if job is not None else None
        except ThyroidSynthError as error:
            self.ui.trainingStateLabel.text = str(error)
            return None

    def _onStart(self, checked: bool = False) -> None:
        parameters = self.parameters
        with self.session.work(_("Starting the training")):
            if not isSet(parameters.trainingData):
                raise InputError(_("Choose the cohort or the dataset to train on."))
            if not isSet(parameters.job):
                raise InputError(_("Choose a job folder, in which the training keeps its progress and its model."))
            self.session.ensureRequirements()
            options = JobOptions(
                input=parameters.trainingData,
                variant=parameters.variant.value,
                preset=parameters.preset.value,
                epochs=parameters.epochs,
                seed=parameters.trainingSeed,
                device=parameters.device.value,
            )
            job = job_for(parameters.job, options, restart=self.ui.restartCheckBox.checked)
            start_detached(pythonExecutable(), train_script(), job)
            self.ui.restartCheckBox.checked = False
            self._stopping = None
            self.session.say(_("The training runs in the background; Slicer may be closed meanwhile."))
        if self.parameters is not None:
            self._poll()

    def _onStop(self, checked: bool = False) -> None:
        job = self._job()
        if job is not None:
            with self.session.errorsShown():
                self._stopping = StopSequence(job)
            self._poll()

    def _onUseModel(self, checked: bool = False) -> None:
        job = self._job()
        if job is not None and job.model_file.is_file():
            self.parameters.model = job.model_file

    def _poll(self) -> None:
        if self.parameters is None:
            return
        state = self._state()
        if self._stopping is not None and self._stopping.poll(time.monotonic()) == "ended":
            self._stopping = None
            state = self._state()
        self._enable(state)
        if state is not None:
            self.ui.trainingStateLabel.text = stateText(state)
            self.ui.trainingProgressBar.value = round(1000 * state.fraction)
        elif self._job() is None:
            self.ui.trainingStateLabel.text = _("No training in this folder.")
            self.ui.trainingProgressBar.value = 0
        if self._runs(state) and not self._timer.active:
            self._timer.start()
        elif not self._runs(state):
            self._timer.stop()

    def _runs(self, state: JobState | None) -> bool:
        if state is None:
            return False
        # A process that was started and has not spoken yet is awaited too.
        return state.status in ("running", "stopping") or (state.status == "created" and self._job().is_running())

    def _enable(self, state: JobState | None) -> None:
        runs = self._runs(state)
        resumable = state is not None and state.status in ("stopped", "interrupted", "failed")
        self.ui.startButton.text = _("Resume training") if resumable else _("Start training")
        self.ui.startButton.enabled = not runs
        self.ui.stopButton.enabled = runs and self._stopping is None
        job = self._job()
        self.ui.useModelButton.enabled = job is not None and job.model_file.is_file()


def stateText(state: JobState) -> str:
    """Say how far a training is."""
    if state.status in ("running", "stopping") and state.epoch:
        parts = [
            _("Epoch {epoch} of {epochs}").format(epoch=state.epoch, epochs=state.epochs),
            _("loss {loss:.3g}").format(loss=state.loss) if state.loss is not None else "",
            _("{time} left").format(time=durationText(state.eta_s)) if state.eta_s is not None else "",
            _("on {device}").format(device=state.device) if state.device else "",
            _("stopping") if state.status == "stopping" else "",
        ]
        return ", ".join(part for part in parts if part)
    names = {
        "created": _("Starting"),
        "running": _("Running"),
        "stopping": _("Stopping"),
        "stopped": _("Stopped; it can be resumed"),
        "finished": _("Finished"),
        "failed": _("Failed"),
        "interrupted": _("Interrupted; it can be resumed"),
    }
    return f"{names[state.status]}. {state.message}".strip()


def pythonExecutable() -> str:
    """Give the Python that runs beside Slicer, or the running one where there is no Slicer."""
    return shutil.which("PythonSlicer") or sys.executable
