"""A training job: a folder through which a running training and whoever watches it understand each other.

===================== ==================================================================
config.json           what to train: resolved settings, cohort and its checksum, versions
state.json            how far it is; replaced in one step, written by the training only
metrics.jsonl         one line for each epoch
preview.npz           how one training case came out lately, see `preview`
train.log             what it said, and why it failed
checkpoint.safetensors where to go on
model.safetensors     the result
launch.json           the process that was started for it from outside
STOP                  its presence asks the training to write a checkpoint and end
lock                  held while a process trains, so that there is never a second one
===================== ==================================================================

Nothing of a job lives anywhere else, so a job is found again when Slicer is opened the next day, and
a training that was killed goes on when it is started again on its folder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

from ThyroidSynthLib.common.errors import InputError, JobError
from ThyroidSynthLib.common.files import read_json, write_json, write_text
from ThyroidSynthLib.common.processes import ProcessIdentity

STATUSES = ("created", "running", "stopping", "checked", "stopped", "finished", "failed", "interrupted")
ACTIVE = ("running", "stopping")
# A training on another machine is believed to be alive for this long after its last sign of life.
PATIENCE_WITH_OTHER_HOSTS_S = 900.0


@dataclass(frozen=True)
class JobState:
    """How far a job is.

    Attributes
    ----------
    status : str
        One of `STATUSES`. "checked": the cases of a dataset are judged, and nothing is trained yet.
        "stopping" and "interrupted" are never written: they follow from the STOP file and from the
        process having vanished.
    fraction : float
        Share of the whole job that is done, 0 to 1.
    epoch, epochs : int
        Epochs done, and to do in all (0 while that is unknown).
    loss : float, optional
        Mean loss of the last epoch.
    eta_s : float, optional
        Estimated seconds to the end.
    message : str
        What it is doing or why it ended, for the user.
    device : str
        Device trained on, such as "cpu" or "cuda".
    cases, held_out : int
        Cases trained on, and kept from the training (0 while that is unknown).
    pid : int, optional
        The training process, with `started` and `host` as in `ProcessIdentity`.
    heartbeat : float
        Last sign of life, in seconds since 1970.
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
        """The training process, if one was ever there."""
        return None if self.pid is None else ProcessIdentity(self.pid, self.started, self.host)


class JobFolder:
    """The folder of one training job.

    Parameters
    ----------
    path : Path
        The folder. Use `create` for a new job and `open` for one that is there.
    """

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
        self.lock_file = self.path / "lock"

    @classmethod
    def create(cls, path: Path | str, config: dict[str, Any]) -> JobFolder:
        """Make the folder of a new job; it is not started.

        Raises
        ------
        JobError
            The folder holds a job or other files already, or cannot be written.
        """
        job = cls(path)
        if job.exists():
            raise JobError(f"{job.path} already holds a training job. Resume it, restart it or choose another folder.")
        try:
            job.path.mkdir(parents=True, exist_ok=True)
            # A state alone is what is left of a job that was killed while it was made.
            if any(path != job.state_file for path in job.path.iterdir()):
                raise JobError(
                    f"{job.path.resolve()} holds other files and no training job. Choose a new or an empty folder."
                )
            # The configuration comes last: a folder with one is a whole job.
            job.write_state(JobState())
            job.write_config(config)
        except OSError as error:
            raise JobError(f"No training job can be made in {job.path} ({error}). Choose another folder.") from error
        return job

    @classmethod
    def open(cls, path: Path | str) -> JobFolder:
        """Find a job again.

        Raises
        ------
        JobError
            There is none in the folder.
        """
        job = cls(path)
        if not job.exists():
            raise JobError(f"{job.path} holds no training job (no {job.config_file.name}). Check the folder.")
        return job

    def exists(self) -> bool:
        """Say whether the folder holds a job."""
        return self.config_file.is_file()

    def read_config(self) -> dict[str, Any]:
        """Give what the job is to train."""
        return read_json(self.config_file)

    def write_config(self, config: dict[str, Any]) -> None:
        """Say what the job is to train."""
        write_json(self.config_file, config)

    def read_state(self) -> JobState:
        """Give the job's state as it truly is, whatever the training managed to write before it died.

        Raises
        ------
        JobError
            The state is missing or damaged.
        """
        state = self._written_state()
        if state.status == "running":
            if not self._lives(state):
                return replace(state, status="interrupted", eta_s=None, message=self._interruption(state))
            if self.should_stop():
                step = "epoch" if state.epoch else "step"
                return replace(state, status="stopping", message=f"Stopping after this {step}.")
        if state.status == "created":
            launched = self._launched()
            if launched is not None and launched.is_here and not launched.is_alive():
                # It may have got as far as writing a state between the two looks at it.
                state = self._written_state()
                if state.status == "created":
                    return replace(state, status="failed", message=self._last_words())
                return self.read_state()
        return state

    def write_state(self, state: JobState) -> None:
        """Replace the state. Only the process that trains, or starts the training, may do so."""
        _insist(lambda: write_json(self.state_file, asdict(replace(state, heartbeat=time.time()))))

    def is_running(self) -> bool:
        """Say whether a process is training this job, or has been started to."""
        return self.running_process() is not None

    def running_process(self) -> ProcessIdentity | None:
        """Give the process that trains this job or is about to, if there is one."""
        state = self.read_state()
        if state.status in ACTIVE:
            return state.process
        launched = self._launched() if state.status == "created" else None
        return launched if launched is not None and launched.is_alive() else None

    def prepare_start(self) -> None:
        """Forget how the last run ended and any wish to stop it, because a new one is about to begin.

        Raises
        ------
        JobError
            The job is running.
        """
        self.refuse_if_running()
        self.clear_stop()
        self.launch_file.unlink(missing_ok=True)
        self.write_state(replace(self._written_state(), status="created", eta_s=None, message="Starting."))

    def was_prepared(self) -> bool:
        """Say whether a run has been announced and has not begun."""
        return self._written_state().status == "created"

    def note_launch(self, process: ProcessIdentity) -> None:
        """Remember the process started for this job until it speaks for itself."""
        write_json(self.launch_file, process.to_json())

    def refuse_if_running(self) -> None:
        """Raise `JobError` when a process is training this job."""
        process = self.running_process()
        announced_here = process == ProcessIdentity.of_this_process() and self.was_prepared()
        if process is not None and not announced_here:
            raise JobError(self._already_running(process))

    def restart(self, config: dict[str, Any]) -> None:
        """Throw away what was trained, and begin anew with `config`.

        Raises
        ------
        JobError
            The job is running.
        """
        self.refuse_if_running()
        results = (self.checkpoint_file, self.metrics_file, self.preview_file, self.model_file)
        for path in (*results, self.launch_file, self.stop_file):
            path.unlink(missing_ok=True)
        self.write_state(JobState())
        self.write_config(config)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the job for this process, so that no other trains it meanwhile.

        The system releases it with the process, however that ends.

        Raises
        ------
        JobError
            Another process holds it.
        """
        with self.lock_file.open("ab") as stream:
            if not _lock(stream):
                raise JobError(self._already_running(self._written_state().process))
            yield

    def request_stop(self) -> None:
        """Ask the training to write a checkpoint and end."""
        write_text(self.stop_file, "stop\n")

    def should_stop(self) -> bool:
        """Say whether the training has been asked to end."""
        return self.stop_file.exists()

    def clear_stop(self) -> None:
        """Take the wish to stop back."""
        self.stop_file.unlink(missing_ok=True)

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Add the line of an epoch; its first key is "epoch"."""
        with self.metrics_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, allow_nan=False) + "\n")

    def read_metrics(self, since: int = 0) -> list[dict[str, Any]]:
        """Give the lines of the epochs after `since`, oldest first."""
        return [json.loads(line) for epoch, line in self._metrics_lines() if epoch > since]

    def forget_metrics_from(self, epoch: int) -> None:
        """Drop the lines of `epoch` and later, which are about to be trained again."""
        if self.metrics_file.exists():
            write_text(
                self.metrics_file, "".join(f"{line}\n" for number, line in self._metrics_lines() if number < epoch)
            )

    def _metrics_lines(self) -> Iterator[tuple[int, str]]:
        try:
            text = self.metrics_file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        # What follows the last line break is half a line of a training that is writing or was killed.
        for line in text.split("\n")[:-1]:
            number = line.partition(":")[2].partition(",")[0].strip()
            if number.isdigit():
                yield int(number), line

    def _written_state(self) -> JobState:
        try:
            value = _insist(lambda: read_json(self.state_file))
            known = {field.name for field in fields(JobState)}
            state = JobState(**{name: item for name, item in value.items() if name in known})
        except (InputError, TypeError, AttributeError) as error:
            raise JobError(
                f"The state of the training job in {self.path} is lost ({error}). Restart the job."
            ) from error
        if state.status not in STATUSES:
            raise JobError(f"{self.state_file} has the unknown status '{state.status}'. Restart the job.")
        return state

    def _launched(self) -> ProcessIdentity | None:
        try:
            return ProcessIdentity.from_json(read_json(self.launch_file))
        except (InputError, KeyError, TypeError, ValueError):
            return None

    def _lives(self, state: JobState) -> bool:
        process = state.process
        if process is None:
            return False
        if process.is_here:
            return process.is_alive()
        return time.time() - state.heartbeat < PATIENCE_WITH_OTHER_HOSTS_S

    def _interruption(self, state: JobState) -> str:
        where = f"after epoch {state.epoch} of {state.epochs}" if state.epoch else "before its first epoch ended"
        return f"The training process ended unexpectedly {where}. Resume it to go on from its last checkpoint."

    def _already_running(self, process: ProcessIdentity | None) -> str:
        which = f" by process {process.pid} on {process.host}" if process is not None else ""
        return f"The job in {self.path} is being trained{which}. Wait for it or stop it first."

    def _last_words(self) -> str:
        """Say why a process ended that never wrote a state, from the end of its output."""
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            lines = []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it left no message")
        return f"The training process could not start: {last} See {self.log_file}."


def _lock(stream: BinaryIO) -> bool:
    """Lock an open file until it is closed or the process ends; false when another process has it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import errno
    import fcntl

    try:
        # A POSIX lock, not `flock`: it also holds on network drives, and worker processes do not inherit it.
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # A drive without locks must not prevent training; the written state still guards the job.
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True


def _insist(action: Callable[[], Any]) -> Any:
    """Try again for a moment: on Windows a file cannot be replaced in the instant another reads it."""
    for pause in (0.01, 0.05, 0.2):
        try:
            return action()
        except PermissionError:
            time.sleep(pause)
    return action()
