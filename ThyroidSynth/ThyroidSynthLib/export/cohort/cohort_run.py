"""A cohort that is made by a process of its own: started, watched by its folder, asked to stop.

The process is the ``thyroidsynth generate`` command. It goes on when Slicer is closed, and is found again
by its folder: ``run.json`` says which process it is and how many thyroids are to come, the manifest how
many there are, and ``generate.log`` what it said.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, JobError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.processes import ProcessIdentity, launch_detached
from ThyroidSynthLib.jobs.background import child_environment

from .generated_cohort import STOP_FILE
from .manifest import MANIFEST_CSV, MANIFEST_JSON

RUN_FILE = "run.json"
LOG_FILE = "generate.log"

# The end of a manifest says whether it is complete; what comes before may be long.
_END_BYTES = 200


@dataclass(frozen=True)
class CohortState:
    """How far a cohort is.

    Attributes
    ----------
    status : str
        "none" (no run in the folder), "running", "stopping", "finished", "stopped" or "failed".
    done, total : int
        Thyroids written, and wanted.
    message : str
        Why it failed, or what is to be known of a finished one.
    """

    status: str
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def runs(self) -> bool:
        """Whether a process is at work."""
        return self.status in ("running", "stopping")


class CohortRun:
    """The making of a cohort in a folder.

    Parameters
    ----------
    folder : Path
        The cohort's folder.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.log_file = self.folder / LOG_FILE

    def start(self, python: Path | str, arguments: Sequence[str], *, total: int) -> None:
        """Start ``thyroidsynth generate`` as a process that goes on when this one ends.

        Parameters
        ----------
        python : Path
            The Python interpreter; in Slicer its PythonSlicer, not the application.
        arguments : sequence of str
            The command's arguments, without the folder.
        total : int
            How many thyroids they ask for.

        Raises
        ------
        JobError
            A run is going on in the folder, or the process cannot be started.
        """
        if self.state().runs:
            raise JobError(f"A cohort is being made in {self.folder}. Wait for it, stop it or choose another folder.")
        command = [str(python), "-m", "ThyroidSynthLib.cli", "generate", *arguments]
        command += ["--out", str(self.folder.resolve()), "--quiet"]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / STOP_FILE).unlink(missing_ok=True)
            self.log_file.write_bytes(b"")
            process = launch_detached(command, log=self.log_file, environment=child_environment())
            write_json(self.folder / RUN_FILE, {"process": process.to_json(), "total": total, "command": command[1:]})
        except OSError as error:
            raise JobError(f"The cohort cannot be made in {self.folder} ({error}). Choose another folder.") from error

    def state(self) -> CohortState:
        """Look at the folder; takes a moment only."""
        try:
            run = read_json(self.folder / RUN_FILE)
            process, total = ProcessIdentity.from_json(run["process"]), int(run["total"])
        except (InputError, KeyError, TypeError, ValueError):
            return CohortState("none")
        # Asked first: what it wrote before it ended is then all there.
        alive = process.is_alive()
        done, complete = self._written()
        if alive:
            return CohortState("stopping" if (self.folder / STOP_FILE).exists() else "running", done, total)
        if complete and done >= total:
            # Its first line only says that it is done.
            return CohortState("finished", done, total, " ".join(self._log_lines()[1:]))
        if (self.folder / STOP_FILE).exists():
            return CohortState("stopped", done, total)
        return CohortState("failed", done, total, self._last_words())

    def request_stop(self) -> None:
        """Ask the process to end after the thyroid it is at."""
        (self.folder / STOP_FILE).touch()

    def kill(self) -> None:
        """End the process at once; every thyroid in the manifest is whole all the same."""
        try:
            ProcessIdentity.from_json(read_json(self.folder / RUN_FILE)["process"]).kill()
        except (InputError, KeyError, TypeError, ValueError):
            return

    def _written(self) -> tuple[int, bool]:
        """Count the thyroids of this run, and say whether the manifest is complete."""
        try:
            started = (self.folder / RUN_FILE).stat().st_mtime_ns
            lines = (self.folder / MANIFEST_CSV).read_bytes().count(b"\n")
            with (self.folder / MANIFEST_JSON).open("rb") as stream:
                stream.seek(0, os.SEEK_END)
                stream.seek(max(0, stream.tell() - _END_BYTES))
                end = stream.read()
                changed = os.fstat(stream.fileno()).st_mtime_ns
        except OSError:
            return 0, False
        # An earlier cohort lies in the folder until the new one's first thyroid is there.
        if changed < started:
            return 0, False
        return max(lines - 1, 0), b'"complete": true' in end

    def _last_words(self) -> str:
        last = next(reversed(self._log_lines()), "")
        return (
            last.removeprefix("thyroidsynth: ").removeprefix("error: ") or f"It ended without a word. See {LOG_FILE}."
        )

    def _log_lines(self) -> list[str]:
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return []
        return [line.strip() for line in lines if line.strip()]
