"""Section "Training": start, monitor and stop a training in a background process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.jobs.background import StopSequence, start_detached, train_script
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for, resumed_job
from ThyroidSynthLib.slicer.panel.shared.dependencies import ensureTorch, pythonExecutable
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet, showUnsetPaths
from ThyroidSynthLib.slicer.panel.shared.section import Section

from .diagnostics import DiagnosticsButton
from .recent_jobs import recentJobs, rememberJob
from .setup import JobStatus, TrainingSetup
from .watch import TrainingWatch
from .wording import stateName, stateText

if TYPE_CHECKING:
    from ThyroidSynthLib.jobs.job import JobState

POLL_EVERY_MS = 700
# Polled at rest too, because another window or a command line may start the job.
POLL_AT_REST_MS = 3000
RESUMABLE = ("stopped", "interrupted", "failed")


class TrainSection(Section):
    """Starts a job in a background process and monitors it through its folder."""

    uiFile = "Train.ui"

    def connect(self) -> None:
        """Connect the section's widgets."""
        self._stopping: StopSequence | None = None
        self._watched: Path | None = None
        self._setup = TrainingSetup(self.ui, self.session)
        self._watch = TrainingWatch(self.ui)
        self._diagnostics = DiagnosticsButton(self.ui.copyDiagnosticsButton, self.session, self._job)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_EVERY_MS)
        self._timer.connect("timeout()", self._poll)
        self._recent = qt.QMenu(self.ui.recentJobsButton)
        self._recent.toolTipsVisible = True
        self._recent.connect("aboutToShow()", self._fillRecent)
        self.ui.recentJobsButton.setMenu(self._recent)
        self.ui.trainCollapsible.connect("contentsCollapsed(bool)", lambda collapsed: self._poll())
        self.ui.checkCasesButton.connect("clicked(bool)", self._onCheck)
        self.ui.startButton.connect("clicked(bool)", self._onStart)
        self.ui.stopButton.connect("clicked(bool)", self._onStop)
        self.ui.restartCheckBox.connect("toggled(bool)", lambda checked: self._poll())
        self.ui.useModelButton.connect("clicked(bool)", self._onUseModel)

    def release(self) -> None:
        """Stop monitoring; the training continues, and its folder in the parameter node identifies it later."""
        self._timer.stop()
        self._setup.release()
        self._watch.release()
        self._diagnostics.release()
        self._stopping, self._watched = None, None

    def refresh(self) -> None:
        """Update the widgets from the parameters."""
        showUnsetPaths(
            (self.parameters.trainingData, self.ui.trainingDataPathEdit), (self.parameters.job, self.ui.jobPathEdit)
        )
        if self._watched != self.parameters.job:
            self._stopping, self._watched = None, self.parameters.job
            self._watch.watch(JobFolder(self._watched) if isSet(self._watched) else None)
            self._poll()
        elif self._setup.changed(self.parameters):
            self._poll()

    def _job(self) -> JobFolder | None:
        if not self.session.hasParameters or not isSet(self.parameters.job):
            return None
        job = JobFolder(self.parameters.job)
        return job if job.exists() else None

    def _options(self) -> JobOptions:
        parameters = self.parameters
        if not isSet(parameters.trainingData):
            raise InputError(_("Choose a cohort or a dataset to train on."))
        if not isSet(parameters.job):
            raise InputError(_("Choose a job folder for the progress and the model of the training."))
        return JobOptions(
            input=parameters.trainingData,
            variant=parameters.variant.value,
            preset=parameters.preset.value,
            epochs=parameters.epochs,
            seed=parameters.trainingSeed,
            device=parameters.device.value,
            held_out=parameters.heldOutPercent / 100,
        )

    def _onCheck(self, checked: bool = False) -> None:
        with self.session.work(_("Starting to check the cases")):
            options = self._options()
            self._launch(options, checkOnly=True)
            self.session.showStatus(_("The cases are checked in the background."))
        self._poll()

    def _onStart(self, checked: bool = False) -> None:
        with self.session.work(_("Starting the training")):
            options = None if self._resumes() else self._options()
            ensureTorch()
            self._launch(options, checkOnly=False)
            self.session.showStatus(_("The training runs in the background and continues if Slicer is closed."))
        self._poll()

    def _resumes(self) -> bool:
        """Check whether the job is resumed with its own configuration instead of the settings in the section."""
        job = self._job()
        if job is None or self.ui.restartCheckBox.checked:
            return False
        # Without a checkpoint nothing is lost, so the user may start again with other settings.
        given = isSet(self.parameters.trainingData) and not job.checkpoint_file.exists()
        return not given and job.read_state().status != "finished"

    def _launch(self, options: JobOptions | None, *, checkOnly: bool) -> None:
        """Start a job with options; None resumes the job in the folder with its own configuration."""
        folder = self.parameters.job
        if options is None:
            job = resumed_job(folder, device=self.parameters.device.value)
        else:
            job = job_for(folder, options, restart=self.ui.restartCheckBox.checked)
        start_detached(pythonExecutable(), train_script(), job, check_only=checkOnly)
        rememberJob(job.path)
        self.ui.restartCheckBox.checked = False
        self._stopping = None

    def _onStop(self, checked: bool = False) -> None:
        job = self._job()
        if job is not None:
            with self.session.errorsShown():
                self._stopping = StopSequence(job)
            self._poll()

    def _onUseModel(self, checked: bool = False) -> None:
        job = self._job()
        if job is None:
            return
        with self.session.errorsShown():
            self.parameters.model = self.session.library.add(job.model_file, job.path.name)
            self.session.showStatus(_("The model was added to the model library and chosen."))

    def _fillRecent(self) -> None:
        self._recent.clear()
        jobs = recentJobs()
        for job, state in jobs:
            text = _("{name}: {state}").format(name=job.path.name, state=stateName(state.status))
            action = self._recent.addAction(text)
            action.toolTip = str(job.path)
            action.connect("triggered(bool)", lambda checked, folder=job.path: self._onRecent(folder))
        if not jobs:
            self._recent.addAction(_("No trainings yet")).setEnabled(False)

    def _onRecent(self, folder: Path) -> None:
        if self.session.hasParameters:
            self.parameters.job = folder

    def _poll(self) -> None:
        """Read the state of the job and show it."""
        if not self.session.hasParameters:
            return
        job, state, problem = self._job(), None, ""
        try:
            if self._stopping is not None and self._stopping.poll(time.monotonic()) == "ended":
                self._stopping = None
            state = job.read_state() if job is not None else None
            # True also for a process that was started and has not written its state yet.
            runs = job is not None and job.is_running()
        except (ThyroidSynthError, OSError) as error:
            runs, problem = False, str(error)
        opened = not self.ui.trainCollapsible.collapsed
        self._showState(job, state, runs=runs, problem=problem)
        if opened or runs:
            self._watch.update(state.epochs if state is not None else 0)
        status = JobStatus(state, runs, self.ui.restartCheckBox.checked, self._watch.secondsPerEpoch)
        self._setup.show(self.parameters, job, status, opened=opened)
        self._timer.setInterval(POLL_EVERY_MS if runs else POLL_AT_REST_MS)
        if (runs or (opened and isSet(self.parameters.job))) and not self._timer.active:
            self._timer.start()
        elif not runs and not opened:
            self._timer.stop()

    def _showState(self, job: JobFolder | None, state: JobState | None, *, runs: bool, problem: str) -> None:
        ui = self.ui
        resumable = state is not None and state.status in RESUMABLE
        ui.startButton.text = _("Resume &training") if resumable else _("Start &training")
        ui.startButton.enabled = not runs
        ui.stopButton.enabled = runs and self._stopping is None
        ui.restartCheckBox.visible = job is not None
        ui.restartCheckBox.enabled = not runs
        ui.useModelButton.enabled = job is not None and state is not None and state.status == "finished"
        ui.trainingProgressBar.visible = state is not None
        # After checking the cases, the training itself has not begun.
        done = state.fraction if state is not None and state.status != "checked" else 0.0
        ui.trainingProgressBar.value = round(1000 * done)
        if problem:
            ui.trainingStateLabel.text = problem
        elif state is not None:
            ui.trainingStateLabel.text = stateText(state, runs=runs)
        elif isSet(self.parameters.job):
            ui.trainingStateLabel.text = _("There is no training in this folder.")
        else:
            ui.trainingStateLabel.text = _("No training chosen. Click Recent for earlier trainings.")
