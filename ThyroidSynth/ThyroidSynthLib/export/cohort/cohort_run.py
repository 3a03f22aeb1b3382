"""A cohort that is made by a background process, which continues when Slicer is closed.

The process is the command ``thyroidsynth generate`` or ``thyroidsynth phantom``. Its folder shows its state:
``run.json`` identifies the process and holds the number of thyroids to make, the manifest lists those that are
finished, and ``generate.log`` is its output.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, JobError, OutputError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.processes import ProcessIdentity, launch_detached
from ThyroidSynthLib.common.staging import STAGING_FOLDER, output_folder
from ThyroidSynthLib.jobs.background import child_environment

from .generated_cohort import STOP_FILE
from .manifest import MANIFEST_CSV, MANIFEST_JSON

RUN_FILE = "run.json"
LOG_FILE = "generate.log"

_COMPLETE = ("Thyroids in ", "Phantoms in ")
# A manifest may be long; its end says whether it is complete.
_END_BYTES = 200


@dataclass(frozen=True)
class CohortState:
    """State and progress of a run: thyroids that are finished, and that are to be made.

    The status is "none" (no run in the folder), "running", "stopping", "finished", "stopped" or "failed"; the message
    says why it failed, or has remarks on a finished cohort.
    """

    status: str
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def runs(self) -> bool:
        """Whether the process is running."""
        return self.status in ("running", "stopping")


class CohortRun:
    """The background process that makes a cohort in a folder.

    Parameters
    ----------
    command : str
        The command to run: "generate" for thyroids, "phantom" for phantoms.
    """

    def __init__(self, folder: Path | str, command: str = "generate") -> None:
        self.folder = Path(folder)
        self._command = command
        self.log_file = self.folder / LOG_FILE

    def start(self, python: Path | str, arguments: Sequence[str], *, total: int) -> None:
        """Start the command for `total` thyroids as a process that continues when this one ends.

        In Slicer `python` is its PythonSlicer, not the application. The command's arguments are without the folder.
        `JobError` if a run is in progress in the folder, or the process cannot be started.
        """
        if self.state().runs:
            raise JobError(f"A cohort is being made in {self.folder}. Wait for it, stop it, or choose another folder.")
        command = [str(python), "-m", "ThyroidSynthLib.cli", self._command, *arguments]
        command += ["--out", str(self.folder.resolve()), "--quiet"]
        try:
            # The process locks the folder itself as soon as it runs.
            with output_folder(self.folder):
                self._refuse_other_files()
                (self.folder / STOP_FILE).unlink(missing_ok=True)
                self.log_file.write_bytes(b"")
            process = launch_detached(command, log=self.log_file, environment=child_environment())
            write_json(self.folder / RUN_FILE, {"process": process.to_json(), "total": total, "command": command[1:]})
        except (OSError, OutputError) as error:
            raise JobError(f"The cohort cannot be made in {self.folder} ({error}). Choose another folder.") from error

    def _refuse_other_files(self) -> None:
        """Raise `OutputError` if a file of another origin has the name of one that `start` replaces."""
        ours = self.state().status != "none"
        for path in (self.folder / RUN_FILE, self.log_file):
            if os.path.lexists(path) and not ours:
                raise OutputError(f"{path} was not written by ThyroidSynth")

    def state(self) -> CohortState:
        """Return the state of the folder; fast enough to be polled."""
        try:
            run = read_json(self.folder / RUN_FILE)
            process, total = ProcessIdentity.from_json(run["process"]), int(run["total"])
        except (InputError, KeyError, TypeError, ValueError):
            return CohortState("none")
        # Checked first, so that nothing is written between the check and the reading of an ended run.
        alive = process.is_alive()
        done, complete = self._written()
        if alive:
            return CohortState("stopping" if (self.folder / STOP_FILE).exists() else "running", done, total)
        if complete and done >= total:
            return CohortState("finished", done, total, " ".join(self._remarks()))
        if (self.folder / STOP_FILE).exists():
            return CohortState("stopped", done, total)
        return CohortState("failed", done, total, self._failure())

    def request_stop(self) -> None:
        """Make the process end after the current thyroid."""
        (self.folder / STOP_FILE).touch()

    def kill(self) -> None:
        """End the process immediately; the files of all thyroids in the manifest are complete."""
        try:
            ProcessIdentity.from_json(read_json(self.folder / RUN_FILE)["process"]).kill()
        except (InputError, KeyError, TypeError, ValueError):
            return

    def _written(self) -> tuple[int, bool]:
        """Return the number of thyroids in this run's manifest, and whether it is complete."""
        # A cohort that replaces another is made beside it.
        made = self.folder / STAGING_FOLDER
        folder = made if (made / MANIFEST_JSON).is_file() else self.folder
        try:
            started = (self.folder / RUN_FILE).stat().st_mtime_ns
            lines = (folder / MANIFEST_CSV).read_bytes().count(b"\n")
            with (folder / MANIFEST_JSON).open("rb") as stream:
                stream.seek(0, os.SEEK_END)
                stream.seek(max(0, stream.tell() - _END_BYTES))
                end = stream.read()
                changed = os.fstat(stream.fileno()).st_mtime_ns
        except OSError:
            return 0, False
        # The manifest of an earlier cohort is kept until this run has replaced it.
        if changed < started:
            return 0, False
        return max(lines - 1, 0), b'"complete": true' in end

    def _failure(self) -> str:
        message = re.sub(r"^thyroidsynth[\w ]*: (error: )?", "", next(reversed(self._log_lines()), ""))
        return message or f"The process ended without a message. See {LOG_FILE}."

    def _remarks(self) -> list[str]:
        """Return the lines of the log without the one that only says that the cohort is complete."""
        lines = [line.removeprefix("thyroidsynth: ") for line in self._log_lines()]
        return [line for line in lines if not line.startswith(_COMPLETE)]

    def _log_lines(self) -> list[str]:
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return []
        return [line.strip() for line in lines if line.strip()]
