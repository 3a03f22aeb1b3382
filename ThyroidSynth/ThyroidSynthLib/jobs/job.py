"""A training job is a folder, through which the training process and the programs that watch it communicate.

====================== =============================================================
config.json            what to train: settings, cohort and its checksum, versions
state.json             status and progress; written by the process that trains or starts the training
metrics.jsonl          one line per epoch
preview.npz            latest reconstruction of one training case, see `preview`
train.log              log of the training process
checkpoint.safetensors where the training resumes
model.safetensors      the resulting model
launch.json            identity of the process that was started for the job
STOP                   if present, the training writes a checkpoint and ends
====================== =============================================================

A process that creates, changes or trains a job locks its folder. All of a job is in its folder, so it can be watched
or resumed after Slicer or the computer was restarted. Slicer finds the folder again in the scene's parameters, or among
the recent jobs in its settings (`slicer.panel.training.recent_jobs`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, JobError
from ThyroidSynthLib.common.files import read_json, real_path, write_json, write_text
from ThyroidSynthLib.common.locks import InUseError
from ThyroidSynthLib.common.processes import ProcessIdentity
from ThyroidSynthLib.common.staging import files_of_others, output_folder
from ThyroidSynthLib.common.text_files import entry

STATUSES = ("created", "running", "stopping", "checked", "stopped", "finished", "failed", "interrupted")
ACTIVE = ("running", "stopping")
# Processes of another machine cannot be looked up: one counts as alive for this long after its last heartbeat.
REMOTE_HEARTBEAT_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class JobState:
    """Status and progress of a job.

    Attributes
    ----------
    status : str
        One of `STATUSES`. "checked" means that quality control has run and nothing is trained yet.
        "stopping" and "interrupted" are never written to the file; `JobFolder.read_state` derives them
        from the STOP file and from a process that no longer exists.
    fraction : float
        Completed share of the job, 0 to 1.
    epoch, epochs : int
        Completed and total number of epochs (0 while unknown).
    loss, eta_s : float, optional
        Mean loss of the last epoch, and estimated remaining time in seconds.
    message : str
        Current activity or reason of the end, for the user.
    cases, held_out : int
        Number of training cases and of held-out cases (0 while unknown).
    pid : int, optional
        The training process, with `started` and `host` as in `ProcessIdentity`.
    heartbeat : float
        Time of the last update, in seconds since 1970.
    """

    status: str = "created"
    fraction: float = 0.0
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    eta_s: float | None = None
    message: str = ""
    device: str = ""
    cases: int = 0
    held_out: int = 0
    pid: int | None = None
    started: str = ""
    host: str = ""
    heartbeat: float = 0.0

    @property
    def process(self) -> ProcessIdentity | None:
        """The training process; None if none has started yet."""
        return None if self.pid is None else ProcessIdentity(self.pid, self.started, self.host)


_ENTRIES_OF_STATE: dict[str, type] = {
    **dict.fromkeys(("status", "message", "device", "started", "host"), str),
    **dict.fromkeys(("epoch", "epochs", "cases", "held_out", "pid"), int),
    **dict.fromkeys(("fraction", "loss", "eta_s", "heartbeat"), float),
}
_OPTIONAL = ("loss", "eta_s", "pid")


class JobFolder:
    """The folder of one training job; use `create` for a new job and `open` for an existing one."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.state_file = self.path / "state.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.preview_file = self.path / "preview.npz"
        self.log_file = self.path / "train.log"
        self.checkpoint_file = self.path / "checkpoint.safetensors"
        self.model_file = self.path / "model.safetensors"
        self.launch_file = self.path / "launch.json"
        self.stop_file = self.path / "STOP"

    @classmethod
    def create(cls, path: Path | str, config: dict[str, Any]) -> JobFolder:
        """Create the folder of a new job without starting it.

        Raises
        ------
        JobError
            The folder already holds a job or other files, or cannot be created.
        """
        job = cls(path)
        if job.exists():
            raise JobError(f"{job.path} already holds a training job. Resume it, restart it or choose another folder.")
        try:
            job.path.mkdir(parents=True, exist_ok=True)
            # A lone state file is left by a process that was killed while it created the job.
            if any(path != job.state_file for path in files_of_others(job.path)):
                raise JobError(
                    f"{real_path(job.path)} holds files that are not a training job. Choose a new or an empty folder."
                )
        except OSError as error:
            raise JobError(f"No training job can be created in {job.path} ({error}). Choose another folder.") from error
        # The configuration comes last: its presence marks a complete job.
        job.write_state(JobState())
        job.write_config(config)
        return job

    @classmethod
    def open(cls, path: Path | str) -> JobFolder:
        """Open the folder of an existing job; `JobError` if it holds none."""
        job = cls(path)
        if not job.exists():
            raise JobError(f"{job.path} holds no training job (no {job.config_file.name}). Check the folder.")
        return job

    def exists(self) -> bool:
        """Check whether the folder holds a job."""
        return self.config_file.is_file()

    def read_config(self) -> dict[str, Any]:
        """Read the configuration: what the job trains and how."""
        return read_json(self.config_file)

    def write_config(self, config: dict[str, Any]) -> None:
        """Write the configuration."""
        write_json(self.config_file, config)

    def read_state(self) -> JobState:
        """Read the state, corrected where the training process has ended without writing it.

        Raises `JobError` if the state is missing or damaged.
        """
        state = self._written_state()
        if state.status == "running":
            if not self._process_is_alive(state):
                where = (
                    f"after epoch {state.epoch} of {state.epochs}" if state.epoch else "before its first epoch ended"
                )
                message = f"The training process ended unexpectedly {where}. Resume it from its last checkpoint."
                return replace(state, status="interrupted", eta_s=None, message=message)
            if self.should_stop():
                step = "epoch" if state.epoch else "step"
                return replace(state, status="stopping", message=f"Stopping after this {step}.")
        if state.status == "created":
            launched = self._launched()
            if launched is not None and launched.is_here and not launched.is_alive():
                # It may have written a state after the first reading.
                state = self._written_state()
                if state.status != "created":
                    return self.read_state()
                message = f"The training process could not start: {last_line(self.log_file)} See {self.log_file}."
                return replace(state, status="failed", message=message)
        return state

    def write_state(self, state: JobState) -> None:
        """Replace the state. Only the process that trains, or starts the training, may do so."""
        write_json(self.state_file, asdict(replace(state, heartbeat=time.time())))

    def is_running(self) -> bool:
        """Check whether a process is training this job or was started to train it."""
        return self.running_process() is not None

    def running_process(self) -> ProcessIdentity | None:
        """Return the process that trains this job or was started to train it; None if there is none."""
        state = self.read_state()
        if state.status in ACTIVE:
            return state.process
        launched = self._launched() if state.status == "created" else None
        return launched if launched is not None and launched.is_alive() else None

    def prepare_start(self) -> None:
        """Clear the final status of the last run and any request to stop; `JobError` if the job is running."""
        self.refuse_if_running()
        self.clear_stop()
        self.launch_file.unlink(missing_ok=True)
        self.write_state(replace(self._written_state(), status="created", eta_s=None, message="Starting."))

    def awaits_start(self) -> bool:
        """Check whether a run has been prepared and has not begun."""
        return self._written_state().status == "created"

    def record_launch(self, process: ProcessIdentity) -> None:
        """Record the process started for this job, which counts as running before it writes its first state."""
        write_json(self.launch_file, process.to_json())

    def refuse_if_running(self) -> None:
        """Raise `JobError` if another process is training this job."""
        process = self.running_process()
        prepared_here = process == ProcessIdentity.of_this_process() and self.awaits_start()
        if process is not None and not prepared_here:
            raise JobError(self._already_running(process))

    def restart(self, config: dict[str, Any]) -> None:
        """Delete the results of earlier runs and start over with `config`; `JobError` if the job is running."""
        self.refuse_if_running()
        # The earlier model stays until the new one takes its place.
        results = (self.checkpoint_file, self.metrics_file, self.preview_file)
        for path in (*results, self.launch_file, self.stop_file):
            path.unlink(missing_ok=True)
        self.write_state(JobState())
        self.write_config(config)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the job for this process, so that no other trains it meanwhile.

        The operating system releases the lock when the process ends, even if it is killed. The folder need not exist
        yet. Raises `JobError` if another process has locked the job.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(output_folder(self.path))
            except InUseError as error:
                process = self._written_state().process if self.state_file.is_file() else None
                raise JobError(self._already_running(process)) from error
            yield

    def request_stop(self) -> None:
        """Request that the training writes a checkpoint and ends."""
        write_text(self.stop_file, "stop\n")

    def should_stop(self) -> bool:
        """Check whether the training is requested to end."""
        return self.stop_file.exists()

    def clear_stop(self) -> None:
        """Withdraw the request to stop."""
        self.stop_file.unlink(missing_ok=True)

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Append the record of an epoch, whose first key is "epoch"."""
        with self.metrics_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, allow_nan=False) + "\n")

    def read_metrics(self, since: int = 0) -> list[dict[str, Any]]:
        """Read the records of the epochs after `since`, oldest first."""
        found = []
        for epoch, line in self._metrics_lines():
            with suppress(ValueError, RecursionError):  # A line that a crash damaged.
                record = json.loads(line)
                if epoch > since and isinstance(record, dict):
                    found.append(record)
        return found

    def drop_metrics_from(self, epoch: int) -> None:
        """Remove the records of `epoch` and later, which are about to be trained again."""
        if self.metrics_file.exists():
            kept = [f"{line}\n" for number, line in self._metrics_lines() if number < epoch]
            write_text(self.metrics_file, "".join(kept))

    def _metrics_lines(self) -> Iterator[tuple[int, str]]:
        try:
            text = self.metrics_file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        # A last line without a line break is incomplete: the training is writing it or was killed.
        for line in text.split("\n")[:-1]:
            number = line.partition(":")[2].partition(",")[0].strip()
            if number.isdigit():
                yield int(number), line

    def _written_state(self) -> JobState:
        try:
            value = _read_patiently(self.state_file)
        except InputError as error:
            raise JobError(f"{error} Restart the job if it is lost.") from error
        try:
            for name, kind in _ENTRIES_OF_STATE.items():
                optional = name in _OPTIONAL and isinstance(value, dict) and value.get(name) is None
                if not optional:
                    entry(value, name, kind=kind)
        except ValueError as error:
            raise JobError(f"{self.state_file} is damaged: {error}. Restart the job.") from error
        state = JobState(**{name: value[name] for name in _ENTRIES_OF_STATE if name in value})
        if state.status not in STATUSES:
            raise JobError(f"{self.state_file} has the unknown status '{state.status}'. Restart the job.")
        return state

    def _launched(self) -> ProcessIdentity | None:
        try:
            return ProcessIdentity.from_json(read_json(self.launch_file))
        except (InputError, KeyError, TypeError, ValueError, OverflowError):
            return None

    def _process_is_alive(self, state: JobState) -> bool:
        process = state.process
        if process is not None and not process.is_here:
            return time.time() - state.heartbeat < REMOTE_HEARTBEAT_TIMEOUT_S
        return process is not None and process.is_alive()

    def _already_running(self, process: ProcessIdentity | None) -> str:
        which = f" by process {process.pid} on {process.host}" if process is not None else ""
        return f"The job in {self.path} is being trained{which}. Wait until it has ended, or stop it first."


def last_line(log: Path) -> str:
    """Return the last line that a process wrote to its log."""
    return next((line.strip() for line in reversed(last_lines(log)) if line.strip()), "it printed no message.")


def last_lines(log: Path, most: int = 40) -> list[str]:
    """Return at most the last `most` lines of a log; none if there is no log."""
    try:
        with log.open("rb") as stream:
            # A log may be very long.
            stream.seek(max(0, stream.seek(0, 2) - 64 * 1024))
            return stream.read().decode("utf-8", errors="replace").splitlines()[-most:]
    except OSError:
        return []


def _read_patiently(path: Path) -> Any:
    """Read a JSON file, several times if it is in use: on Windows a file cannot be read while it is being replaced."""
    for pause in (0.01, 0.05, 0.2):
        try:
            return read_json(path)
        except InputError as error:
            if not isinstance(error.__cause__, PermissionError):
                raise
            time.sleep(pause)
    return read_json(path)
