"""Section "Training": start, monitor and stop a training in a background process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.jobs.background import StopSequence, start_detached, train_script
from ThyroidSynthLib.jobs.job import ACTIVE, JobFolder
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for, read_job_config, resumed_job
from ThyroidSynthLib.slicer.panel.shared.dependencies import ensureTorch, pythonExecutable
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet, showUnsetPaths
from ThyroidSynthLib.slicer.panel.shared.section import Section

from .diagnostics import DiagnosticsButton
from .download import DownloadMenu
from .job_settings import settingsOfJob, settingsText
from .job_status import JobStatus
from .recent_jobs import recentJobs, rememberJob
from .setup import TrainingSetup
from .watch import TrainingWatch
from .wording import stateName, stateText

POLL_EVERY_MS = 700
# Polled at rest too, because another window or a command line may start the job.
POLL_AT_REST_MS = 3000
RESUMABLE = ("stopped", "interrupted", "failed")


class TrainSection(Section):
    """Starts a job in a background process and monitors it through its folder.

    Attributes
    ----------
    isOpen : callable
        Returns whether the section is in sight; while it is not, only a running training is monitored.
    download : DownloadMenu
        The menu of public data sets.
    """

    uiFile = "Train.ui"

    def connect(self) -> None:
        """Connect the section's widgets."""
        self.isOpen: Callable[[], bool] = lambda: True
        self._stopping: StopSequence | None = None
        self._watched: Path | None = None
        self._runs = False
        self._setup = TrainingSetup(self.ui, self.session)
        self._watch = TrainingWatch(self.ui)
        self.download = DownloadMenu(self.session, self.ui.downloadDataButton)
        self._diagnostics = DiagnosticsButton(self.ui.copyDiagnosticsButton, self.session, self._job)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_EVERY_MS)
        self._timer.connect("timeout()", self._poll)
        self._recent = qt.QMenu(self.ui.recentJobsButton)
        self._recent.toolTipsVisible = True
        self._recent.connect("aboutToShow()", self._fillRecent)
        self.ui.recentJobsButton.setMenu(self._recent)
        self.ui.checkCasesButton.connect("clicked(bool)", self._onCheck)
        self.ui.startButton.connect("clicked(bool)", self._onStartOrStop)
        self.ui.restartCheckBox.connect("toggled(bool)", lambda checked: self._poll())
        self.ui.useModelButton.connect("clicked(bool)", self._onUseModel)

    def release(self) -> None:
        """Stop monitoring; the training continues, and its folder in the parameter node identifies it later."""
        self._timer.stop()
        self._setup.release()
        self._watch.release()
        self._diagnostics.release()
        self._stopping, self._watched = None, None

    def beforeSave(self) -> None:
        """Show the user's own views, because neither chart nor training case is saved."""
        self._setup.beforeSave()
        self._watch.beforeSave()

    def afterSave(self) -> None:
        """Show chart and training case again."""
        self._setup.afterSave()
        self._watch.afterSave()

    def opened(self) -> None:
        """Update the section when it has come into sight or gone out of it."""
        self._poll()

    def refresh(self) -> None:
        """Update the widgets from the parameters."""
        showUnsetPaths(
            (self.parameters.trainingData, self.ui.trainingDataPathEdit), (self.parameters.job, self.ui.jobPathEdit)
        )
        if self._watched != self.parameters.job:
            isChosen = self._watched is not None  # Not so when a scene or the module was opened.
            self._stopping, self._watched = None, self.parameters.job
            self._watch.watch(JobFolder(self._watched) if isSet(self._watched) else None)
            job = self._job()
            if isChosen and job is not None:
                self._adopt(job)
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
            self._launch(checkOnly=True)
            self.session.showStatus(_("The cases are checked in the background."))
        self._poll()

    def _onStartOrStop(self, checked: bool = False) -> None:
        job = self._job()
        if job is not None and self._runs:
            with self.session.errorsShown():
                self._stopping = StopSequence(job)
        else:
            with self.session.work(_("Starting the training")):
                ensureTorch()
                self._launch(checkOnly=False)
                self.session.showStatus(_("The training runs in the background and continues if Slicer is closed."))
        self._poll()

    def _launch(self, *, checkOnly: bool) -> None:
        """Start the job in the folder with the settings in the section, or resume it with its own."""
        job, restart = self._job(), self.ui.restartCheckBox.checked
        if job is not None and not restart and self._isAsShown(job):
            job = resumed_job(job.path, device=self.parameters.device.value)
        else:
            job = job_for(self.parameters.job, self._options(), restart=restart)
        start_detached(pythonExecutable(), train_script(), job, check_only=checkOnly)
        rememberJob(job.path)
        self.ui.restartCheckBox.checked = False
        self._stopping = None

    def _isAsShown(self, job: JobFolder) -> bool:
        """Check whether the settings in the section are those of a job.

        They are once the training has begun. Before, nothing is lost if the user starts it with others.
        """
        return job.checkpoint_file.exists() or not self._differing(job, but="device")

    def _differing(self, job: JobFolder, but: str = "") -> dict[str, Any]:
        """Return those settings of a job that the section shows otherwise, by the names of the parameters."""
        try:
            settings = settingsOfJob(read_job_config(job))
        except (ThyroidSynthError, OSError):
            return {}  # Starting the job says why.
        shown = {name: getattr(self.parameters, name) for name in settings if name != but}
        return {name: settings[name] for name, value in shown.items() if value != settings[name]}

    def _adopt(self, job: JobFolder, but: str = "") -> None:
        """Show the settings of a job, except one."""
        differing = self._differing(job, but)
        if differing:
            with slicer.util.NodeModify(self.parameters):
                for name, value in differing.items():
                    setattr(self.parameters, name, value)

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
        restart, opened = self.ui.restartCheckBox.checked, self.isOpen()
        locked = job is not None and not restart and (runs or job.checkpoint_file.exists())
        if job is not None and locked:
            # The device may be another one in each run.
            self._adopt(job, but="device")
        self._runs = runs
        if opened or runs:
            self._watch.update(state.epochs if state is not None else 0)
        status = JobStatus(state, runs, restart, locked, self._watch.secondsPerEpoch)
        self._showState(job, status, problem)
        self._setup.show(self.parameters, job, status, opened=opened)
        self._timer.setInterval(POLL_EVERY_MS if runs else POLL_AT_REST_MS)
        if (runs or (opened and isSet(self.parameters.job))) and not self._timer.active:
            self._timer.start()
        elif not runs and not opened:
            self._timer.stop()

    def _showState(self, job: JobFolder | None, status: JobStatus, problem: str) -> None:
        ui, state, runs = self.ui, status.state, status.runs
        self._showButton(job, status)
        ui.restartCheckBox.visible = job is not None
        ui.restartCheckBox.enabled = not runs
        ui.useModelButton.visible = job is not None and state is not None and state.status == "finished"
        ui.trainingProgressBar.visible = runs
        ui.trainingProgressBar.value = round(1000 * state.fraction) if state is not None else 0
        ui.jobSettingsLabel.text = self._settingsText(job) if status.locked else ""
        ui.jobSettingsLabel.visible = bool(ui.jobSettingsLabel.text)
        if problem:
            ui.trainingStateLabel.text = problem
        elif state is not None:
            ui.trainingStateLabel.text = stateText(state, runs=runs)
        elif isSet(self.parameters.job):
            ui.trainingStateLabel.text = _("There is no training in this folder.")
        else:
            ui.trainingStateLabel.text = self._lastText()

    def _lastText(self) -> str:
        """Return how the last training can be found again, for a panel without one."""
        last = next(iter(recentJobs()), None) if self.isOpen() else None
        if last is None:
            return _("No training chosen.")
        job, state = last
        text = _("No training chosen. The last one, '{name}', is under Recent: {state}")
        return text.format(name=job.path.name, state=stateText(state, runs=state.status in ACTIVE))

    def _showButton(self, job: JobFolder | None, status: JobStatus) -> None:
        button, state = self.ui.startButton, status.state
        check, obstacle = self.ui.checkCasesButton, self._obstacle(status, resumes=False)
        check.enabled = not (status.runs or obstacle)
        check.toolTip = obstacle or _("Apply quality control to every case in the background before the training")
        if status.runs:
            stopping = self._stopping is not None or (state is not None and state.status == "stopping")
            button.text = _("Stop training")
            button.enabled = not stopping
            button.toolTip = (
                _("The training stops after this epoch.")
                if stopping
                else _("Write a checkpoint and stop; the training can be resumed")
            )
            return
        resumes = job is not None and not status.restart and self._isAsShown(job)
        resumable = resumes and state is not None and state.status in RESUMABLE
        obstacle = self._obstacle(status, resumes=resumes)
        button.text = _("Resume training") if resumable else _("Start training")
        button.enabled = not obstacle
        button.toolTip = obstacle or _("Train in the background; the training continues if Slicer is closed")

    def _obstacle(self, status: JobStatus, *, resumes: bool) -> str:
        """Return why no training can be started; empty if one can."""
        data = self.parameters.trainingData
        if status.locked and status.state is not None and status.state.status == "finished":
            return _(
                "The training in this folder has finished. Choose another job folder, or tick Start from scratch under "
                "Advanced."
            )
        if resumes:
            return ""
        if not isSet(data):
            return _("Choose a cohort or a dataset to train on.")
        if not data.exists():
            return _("{path} does not exist. Choose a cohort or a dataset to train on.").format(path=data)
        if not isSet(self.parameters.job):
            return _("Choose a job folder for the progress and the model of the training.")
        return ""

    def _settingsText(self, job: JobFolder | None) -> str:
        try:
            return settingsText(read_job_config(job)) if job is not None else ""
        except (ThyroidSynthError, OSError):
            return ""
