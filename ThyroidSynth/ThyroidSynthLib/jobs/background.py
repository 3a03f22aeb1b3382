"""Starting and stopping a training job from outside, without ever waiting for it."""

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
    """Find the ThyroidSynthTrain script that belongs to this library.

    Raises
    ------
    JobError
        It is not where the extension, or its source tree, has it.
    """
    for folder in (_LIBRARY.parent / "cli-modules", _LIBRARY.parent / "ThyroidSynthTrain"):
        if (folder / SCRIPT).is_file():
            return folder / SCRIPT
    raise JobError(f"{SCRIPT} was not found near {_LIBRARY}. Install the ThyroidSynth extension again.")


def start_detached(python: Path | str, script: Path | str, job: JobFolder, *, check_only: bool = False) -> int:
    """Start the training of a job as a process that goes on when this one ends.

    Parameters
    ----------
    python : Path
        The Python interpreter; in Slicer its PythonSlicer, not the application.
    script : Path
        ThyroidSynthTrain.py, see `train_script`.
    job : JobFolder
        The job, new or to be resumed.
    check_only : bool
        Only check the cases that are to be prepared.

    Returns
    -------
    int
        The number of the new process. Watch the job's state, not this: it is the training's own
        word on where it runs.

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
    job.note_launch(process)
    return process.pid


def child_environment() -> dict[str, str]:
    """Give the environment in which a Python of its own finds this library."""
    environment = dict(os.environ)
    # This library first; what Slicer's launcher has put there is where its VTK comes from.
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(_LIBRARY), *([inherited] if inherited else [])])
    environment["PYTHONUNBUFFERED"] = "1"
    environment["PYTHONIOENCODING"] = "utf-8"
    # Slicer's plugin for images in its memory does not fit SimpleITK outside the application.
    environment["ITK_AUTOLOAD_PATH"] = ""
    return environment


def patience_for(job: JobFolder, least_s: float = 30.0) -> float:
    """Give how long a training may take to end as asked: it has to finish its epoch, which may be a long one."""
    try:
        last = job.read_metrics()[-1:]
    except (OSError, ValueError):
        last = []
    return max(least_s, 3.0 * last[0]["seconds"] + 10.0 if last else 0.0)


class StopSequence:
    """Stop a job ever more firmly: ask, then terminate its process, then kill it.

    On Windows terminating is killing: there what was learnt since the last checkpoint is lost unless the
    training ends as asked. Each `poll` takes a moment only, so a timer can drive it while the window stays alive.

    Parameters
    ----------
    job : JobFolder
        The job; it is asked at once.
    patience_s : float, optional
        Seconds it is given to end the epoch it is in and write its checkpoint; what `patience_for` gives
        by default.
    terminate_s : float
        Seconds between terminating and killing.

    Attributes
    ----------
    phase : str
        "requested", "terminating", "killing" or "ended".
    """

    def __init__(self, job: JobFolder, *, patience_s: float | None = None, terminate_s: float = 10.0) -> None:
        self._job = job
        patience_s = patience_for(job) if patience_s is None else patience_s
        self._waits = {"requested": patience_s, "terminating": terminate_s, "killing": float("inf")}
        self._since: float | None = None
        self.phase = "requested"
        job.request_stop()

    def poll(self, now: float) -> str:
        """Look at the job, take the next step if it is time, and give the phase.

        Parameters
        ----------
        now : float
            Seconds of a clock that never runs backwards, such as `time.monotonic`.
        """
        process = self._job.running_process()
        if process is None:
            self.phase = "ended"
            self._job.clear_stop()
            return self.phase
        if self._since is None:
            self._since = now
        # A process on another machine can only be asked.
        if process.is_here and now - self._since >= self._waits[self.phase]:
            if self.phase == "requested":
                self.phase = "terminating"
                process.terminate()
            else:
                self.phase = "killing"
                process.kill()
            self._since = now
        return self.phase


def stop(job: JobFolder, *, patience_s: float = 30.0, terminate_s: float = 10.0) -> None:
    """Stop a job and wait until it has ended.

    Raises
    ------
    JobError
        It runs on another machine and has not ended within the patience.
    """
    sequence = StopSequence(job, patience_s=patience_s, terminate_s=terminate_s)
    deadline = time.monotonic() + patience_s + terminate_s
    while sequence.poll(time.monotonic()) != "ended":
        process = job.running_process()
        if process is not None and not process.is_here and time.monotonic() > deadline:
            raise JobError(
                f"The job in {job.path} runs on {process.host} and has not ended yet. "
                "It has been asked to stop; wait, or end it there."
            )
        time.sleep(0.05)
