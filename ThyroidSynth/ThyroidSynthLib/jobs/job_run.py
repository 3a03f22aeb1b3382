"""Run a training job: prepare the cohort if necessary, train, and write the model."""

from __future__ import annotations

import logging
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ThyroidSynthLib.common.errors import Cancelled, CohortError, JobError, ThyroidSynthError, explained
from ThyroidSynthLib.common.files import atomic_path, sha256_of
from ThyroidSynthLib.common.locks import locked_file
from ThyroidSynthLib.common.processes import ProcessIdentity
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PreparationSummary, PrepareOptions, check_cases, prepare_cohort
from ThyroidSynthLib.dataset.splits import hold_out
from ThyroidSynthLib.model.presets import alignment_for
from ThyroidSynthLib.model.settings import TrainingSettings
from ThyroidSynthLib.training.distributed import ALONE, ProcessGroup

from .job import JobFolder, JobState
from .job_options import check_model_room, quality_file, read_job_config

if TYPE_CHECKING:
    from ThyroidSynthLib.model.trained_model import TrainedModel
    from ThyroidSynthLib.training.loop import EpochReport, Snapshot

logger = logging.getLogger(__name__)

STATE_EVERY_S = 0.5
LOG_EVERY_S = 10.0
PREPARATION_SHARE = 0.2
_FINISHING_SHARE = 0.1
_ORGANS_SHARE = 0.05  # Of it, if the cohort has organs beside the thyroid.


class Trainer(Protocol):
    """A function like `training.loop.train`."""

    def __call__(
        self,
        cohort: Cohort,
        settings: TrainingSettings,
        *,
        device: str,
        checkpoint_path: Path,
        checkpoint_every_s: float = ...,
        on_epoch: Callable[[EpochReport], None] = ...,
        on_snapshot: Snapshot = ...,
        should_stop: ShouldStop,
        process_group: ProcessGroup,
    ) -> TrainedModel:
        """Train a model."""


class Finisher(Protocol):
    """A function like `generation.steer.calibration.calibrated`."""

    def __call__(self, model: TrainedModel, *, progress: ProgressCallback, should_stop: ShouldStop) -> TrainedModel:
        """Return the model to write from the trained one."""


def run_job(
    job: JobFolder,
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
    check_only: bool = False,
    on_snapshot: Snapshot = lambda epoch, model_of: None,
    finish: Finisher | None = None,
    train: Trainer | None = None,
    process_group: ProcessGroup = ALONE,
) -> Path:
    """Train a job in this process, from its checkpoint if there is one, and return the path of the model file.

    Parameters
    ----------
    should_stop : callable
        Request to stop, such as by a signal, in addition to the job's STOP file.
    check_only : bool
        Only check the cases that are to be prepared, and return the path of the table of verdicts; the
        next run resumes from there.
    on_snapshot : callable
        Passed to the trainer, for a preview of the training.
    finish : callable, optional
        Applied to the trained model before it is written.
    train : callable, optional
        The trainer; by default `training.loop.train`.
    process_group : ProcessGroup
        The processes that train together; all but the first call `follow`.

    Raises
    ------
    Cancelled
        It was requested to stop; the checkpoint is written and the status is "stopped".
    ThyroidSynthError
        It failed; the status is "failed" and the message of the state says why.
    """
    job.refuse_if_running()
    with job.locked():
        if not job.awaits_start():
            job.prepare_start()
        run = _Run(job, progress, should_stop, process_group)
        with _log_to(job.log_file):
            try:
                if check_only:
                    return run.check_cases()
                with run.locked_model():
                    return run.execute(train or _default_trainer(), on_snapshot, finish)
            except (Cancelled, KeyboardInterrupt) as stopped:
                run.end("stopped", str(stopped) or "Stopped at once; it resumes from its last checkpoint.")
                raise
            except ThyroidSynthError as error:
                run.end("failed", str(error))
                raise
            except Exception as error:
                logger.exception("Training failed")
                run.end("failed", f"{explained(error)} See also {job.log_file}.")
                raise


def follow(process_group: ProcessGroup, *, should_stop: ShouldStop = never) -> None:
    """Train as one of the other processes of a group; return at once if the first process does not train.

    Only the first process reports progress, and raises the errors of the job.
    """
    plan = process_group.receive_plan(should_stop)
    if plan is None:
        return
    with suppress(Cancelled):
        _default_trainer()(
            Cohort.open(Path(plan["cohort"])).part(plan["ids"]),
            TrainingSettings.from_json(plan["settings"]),
            device=plan["device"],
            checkpoint_path=Path(plan["checkpoint"]),
            should_stop=should_stop,
            process_group=process_group,
        )


class _Run:
    """One run of a job, which alone writes the state of the job while it runs."""

    def __init__(
        self, job: JobFolder, progress: ProgressCallback, should_stop: ShouldStop, process_group: ProcessGroup
    ) -> None:
        self._job, self._process_group, self._progress = job, process_group, progress
        self._should_stop = lambda: job.should_stop() or should_stop()
        self._config = read_job_config(job)
        self._settings = TrainingSettings.from_json(self._config["settings"])
        self._first_epoch: int | None = None
        self._last_written = self._last_logged = -math.inf
        process, before = ProcessIdentity.of_this_process().to_json(), job.read_state()
        self._state = JobState("running", epoch=before.epoch, epochs=self._settings.epochs, loss=before.loss, **process)

    def check_cases(self) -> Path:
        if not self._config["prepare"]:
            raise JobError(f"{self._config['input']} is a cohort, whose cases were checked when it was prepared.")
        if self._job.checkpoint_file.exists():
            raise JobError("The training has begun, so its cases cannot be checked again. Start it from scratch.")
        self._report(0.0, "Checking the cases.", at_once=True)
        summary = self._prepare(check_cases, self._report)
        self._state = replace(self._state, fraction=1.0)
        self.end("checked", f"{summary.accepted} of {summary.cases} cases are accepted.")
        return quality_file(self._config)

    def locked_model(self) -> AbstractContextManager[None]:
        """Lock the copy of the model that the job writes outside its folder, if there is one."""
        model = self._config["model"]
        return locked_file(Path(model)) if model else nullcontext()

    def execute(self, train: Trainer, on_snapshot: Snapshot, finish: Finisher | None) -> Path:
        from ThyroidSynthLib.training.device import choose_device

        if self._config["model"]:
            check_model_room(self._job, Path(self._config["model"]), self._config["model_sha256"])
        self._report(0.0, "Starting.", at_once=True)
        logger.info("Job %s, process %d on %s", self._job.path, self._state.pid, self._state.host)
        logger.info("Settings: %s", self._config["settings"])
        cohort = self._cohort()
        check(self._should_stop)
        device = str(choose_device(self._config["device"]))
        cases, held_out = len(cohort.ids), len(cohort.held_out)
        self._state = replace(self._state, device=device, cases=cases, held_out=held_out)
        logger.info("Training on %s with %d cases, %d held out", device, cases, held_out)
        if self._process_group.size > 1:
            logger.info("With %d processes", self._process_group.size)
            self._process_group.send_plan(
                {
                    "cohort": str(cohort.folder),
                    "ids": list(cohort.ids),
                    "settings": self._settings.to_json(),
                    "device": device,
                    "checkpoint": str(self._job.checkpoint_file.resolve()),
                }
            )
        model = train(
            cohort,
            self._settings,
            device=device,
            checkpoint_path=self._job.checkpoint_file,
            checkpoint_every_s=self._config["checkpoint_every_s"],
            on_epoch=self._on_epoch,
            should_stop=self._should_stop,
            on_snapshot=on_snapshot,
            process_group=self._process_group,
        )
        finishing = 1.0 - _FINISHING_SHARE
        if cohort.organs:
            from ThyroidSynthLib.training.organs import with_organs

            learned = finishing + _ORGANS_SHARE
            progress = part_of(self._report, finishing, learned)
            model = with_organs(model, cohort, device=device, progress=progress, should_stop=self._should_stop)
            finishing = learned
        if finish is not None:
            progress = part_of(self._report, finishing, 1.0)
            model = finish(model, progress=progress, should_stop=self._should_stop)
        licence = {"licence": self._config["licence"]} if self._config["licence"] else {}
        replace(model, provenance=model.provenance | licence).save(self._job.model_file)
        result = self._job.model_file
        if self._config["model"]:
            result = Path(self._config["model"])
            # Checked again, because the training took a while.
            check_model_room(self._job, result, self._config["model_sha256"])
            with atomic_path(result) as temporary:
                shutil.copyfile(self._job.model_file, temporary)
            self._config["model_sha256"] = sha256_of(result)
            self._job.write_config(self._config)
        self._state = replace(self._state, fraction=1.0, epoch=self._settings.epochs)
        self.end("finished", f"The model is in {result}.")
        return result

    def end(self, status: str, message: str) -> None:
        self._job.clear_stop()
        self._state = replace(self._state, status=status, message=message, eta_s=None)
        self._job.write_state(self._state)
        logger.info("%s: %s", status, message)
        if status != "failed":  # The error is reported by the caller.
            self._progress(self._state.fraction, message)

    def _cohort(self) -> Cohort:
        if self._config["prepare"] and not self._config["cohort_checksum"]:
            self._prepare(prepare_cohort, part_of(self._report, 0.0, PREPARATION_SHARE))
        cohort = Cohort.open(Path(self._config["cohort"]))
        expected = self._config["cohort_checksum"]
        if expected and cohort.checksum != expected:
            raise CohortError(
                f"The cohort in {self._config['cohort']} has changed since this job began. "
                "Restart the job to train on the cohort as it is now."
            )
        if self._config["held_out_ids"] is None:
            held_out = hold_out(cohort, self._config["held_out"], seed=self._config["split_seed"])
            self._config["held_out_ids"] = list(held_out)
        self._config["cohort_checksum"] = cohort.checksum
        self._job.write_config(self._config)
        return cohort.part(set(cohort.ids).difference(self._config["held_out_ids"]))

    def _prepare(self, step: Callable[..., PreparationSummary], progress: ProgressCallback) -> PreparationSummary:
        """Run a step of the preparation, `check_cases` or `prepare_cohort`."""
        options = PrepareOptions(
            alignment=alignment_for(self._settings.preset),
            include=tuple(self._config["include"]),
            exclude=tuple(self._config["exclude"]),
            # The cohort in the job folder belongs to the job and is replaced when another input is chosen.
            overwrite=True,
        )
        source, folder = Path(self._config["input"]), Path(self._config["cohort"])
        return step(source, folder, options, progress=progress, should_stop=self._should_stop)

    def _on_epoch(self, report: EpochReport) -> None:
        if self._first_epoch is None:
            self._first_epoch = report.epoch
            # After a crash the epochs since the last checkpoint are recorded and now trained again.
            self._job.drop_metrics_from(report.epoch)
        if not math.isfinite(report.loss):
            raise JobError(
                f"The loss is no longer a number in epoch {report.epoch}. "
                "Restart the job with another random seed or preset; if it happens again, check the cohort's features."
            )
        names = ("epoch", "loss", "losses", "seconds", "samples_per_second")
        self._job.append_metrics({**{name: getattr(report, name) for name in names}, "time": time.time()})
        start = PREPARATION_SHARE if self._config["prepare"] else 0.0
        end = 1.0 - _FINISHING_SHARE
        self._state = replace(self._state, epoch=report.epoch, loss=report.loss, eta_s=report.eta_s)
        self._report(
            start + (end - start) * report.epoch / report.epochs,
            f"Epoch {report.epoch} of {report.epochs}, loss {report.loss:.3g}, {duration_text(report.eta_s)} left",
            at_once=report.epoch in (self._first_epoch, report.epochs),
        )

    def _report(self, fraction: float, message: str, *, at_once: bool = False) -> None:
        """Report progress: always to the caller, at intervals in the state and the log."""
        self._state = replace(self._state, fraction=fraction, message=message)
        now = time.monotonic()
        if at_once or now - self._last_written >= STATE_EVERY_S:
            self._job.write_state(self._state)
            self._last_written = now
        if at_once or now - self._last_logged >= LOG_EVERY_S:
            logger.info("%s", message)
            self._last_logged = now
        self._progress(fraction, message)


def duration_text(seconds: float) -> str:
    """Return a duration as text in a suitable unit."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _default_trainer() -> Trainer:
    try:
        from ThyroidSynthLib.training.loop import train
    except ModuleNotFoundError as error:
        raise JobError(
            f"Training needs {error.name}, which is not installed for the Python at {sys.executable}. Install it in "
            "Slicer with the ThyroidSynth module, elsewhere with pip."
        ) from error
    return train


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Write the log of the library, and Python's warnings, to a file."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    library, warnings = logging.getLogger(__name__.partition(".")[0]), logging.getLogger("py.warnings")
    level = library.level
    library.setLevel(logging.INFO)
    # Slicer reads any output on the standard error of a CLI module as a failure.
    logging.captureWarnings(True)
    for source in (library, warnings):
        source.addHandler(handler)
    try:
        yield
    finally:
        for source in (library, warnings):
            source.removeHandler(handler)
        logging.captureWarnings(False)
        library.setLevel(level)
        handler.close()
