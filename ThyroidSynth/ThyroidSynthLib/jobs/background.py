"""Start and stop a training job from another process, without blocking it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ThyroidSynthLib.common.errors import JobError
from ThyroidSynthLib.common.processes import launch_detached

from .job import JobFolder

SCRIPT = "ThyroidSynthTrain.py"
_LIBRARY = Path(__file__).resolve().parents[2]


def train_script() -> Path:
    """Find the ThyroidSynthTrain script of this installation; `JobError` if there is none."""
    for folder in (_LIBRARY.parent / "cli-modules", _LIBRARY.parent / "ThyroidSynthTrain"):
        if (folder / SCRIPT).is_file():
            return folder / SCRIPT
    raise JobError(f"{SCRIPT} was not found near {_LIBRARY}. Install the ThyroidSynth extension again.")


def start_detached(python: Path | str, script: Path | str, job: JobFolder, *, check_only: bool = False) -> int:
    """Start the training of a job as a process that outlives this one.

    Parameters
    ----------
    python : path-like
        The Python interpreter; in Slicer its PythonSlicer, not the application.
    script : path-like
        ThyroidSynthTrain.py, see `train_script`.
    check_only : bool
        Only check the cases that are to be prepared.

    Returns
    -------
    int
        Id of the new process. To watch the training use `JobFolder.read_state`.

    Raises
    ------
    JobError
        The job is running, or the process cannot be started.
    """
    job.prepare_start()
    command = [str(python), str(script), "--job", str(job.path.resolve()), "--progress", "none"]
    command += ["--check_only"] if check_only else []
    try:
        process = launch_detached(command, log=job.log_file, environment=child_environment())
    except OSError as error:
        raise JobError(f"{python} cannot be started ({error}). Check the Python interpreter.") from error
    job.record_launch(process)
    return process.pid


def child_environment() -> dict[str, str]:
    """Return the environment variables with which a new Python process finds this library."""
    return {
        **os.environ,
        # This library comes first; Slicer's launcher sets the rest, where the new process finds VTK.
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_LIBRARY), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        # Slicer's ITK plugin for images in memory does not load outside the application.
        "ITK_AUTOLOAD_PATH": "",
    }


def stop_timeout_s(job: JobFolder) -> float:
    """Return how long to wait for a training to stop by itself: it first completes its epoch."""
    try:
        last = job.read_metrics()[-1:]
    except (OSError, ValueError):
        last = []
    return max(30.0, 3.0 * last[0]["seconds"] + 10.0 if last else 0.0)


class StopSequence:
    """Stop a job in steps: request it, then terminate the process, then kill it.

    On Windows terminating is killing, so that everything since the last checkpoint is lost if the training
    does not stop on request. `poll` returns at once and can be called by a timer.

    Parameters
    ----------
    job : JobFolder
        The job; stopping is requested at once.
    timeout_s : float, optional
        Seconds for the training to complete its epoch and write a checkpoint; by default `stop_timeout_s`.
    terminate_s : float
        Seconds between terminating and killing.

    Attributes
    ----------
    phase : str
        "requested", "terminating", "killing" or "ended".
    """

    def __init__(self, job: JobFolder, *, timeout_s: float | None = None, terminate_s: float = 10.0) -> None:
        self._job = job
        timeout_s = stop_timeout_s(job) if timeout_s is None else timeout_s
        self._waits = {"requested": timeout_s, "terminating": terminate_s, "killing": float("inf")}
        self._since: float | None = None
        self.phase = "requested"
        job.request_stop()

    def poll(self, now: float) -> str:
        """Check the job, take the next step if it is due, and return the phase; `now` is as of `time.monotonic`."""
        process = self._job.running_process()
        if process is None:
            self.phase = "ended"
            self._job.clear_stop()
            return self.phase
        if self._since is None:
            self._since = now
        # A process on another machine can only be requested to stop.
        if process.is_here and now - self._since >= self._waits[self.phase]:
            if self.phase == "requested":
                self.phase = "terminating"
                process.terminate()
            else:
                self.phase = "killing"
                process.kill()
            self._since = now
        return self.phase


def stop(job: JobFolder, *, timeout_s: float = 30.0, terminate_s: float = 10.0) -> None:
    """Stop a job and wait until it has ended; for the parameters see `StopSequence`.

    Raises `JobError` if it runs on another machine and has not ended in time.
    """
    sequence = StopSequence(job, timeout_s=timeout_s, terminate_s=terminate_s)
    deadline = time.monotonic() + timeout_s + terminate_s
    while sequence.poll(time.monotonic()) != "ended":
        process = job.running_process()
        if process is not None and not process.is_here and time.monotonic() > deadline:
            raise JobError(
                f"The job in {job.path} runs on {process.host} and has not ended yet, although it was requested to "
                "stop. Wait, or end it there."
            )
        time.sleep(0.05)
