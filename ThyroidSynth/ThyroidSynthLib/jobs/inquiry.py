"""Questions about this machine, answered by a process of its own: neither PyTorch nor a trial run freezes a window."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, JobError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.processes import windows_flags
from ThyroidSynthLib.model.presets import TrainingSettings

from .background import child_environment
from .estimate import Estimate, estimate_training
from .machine import Machine, describe_machine


@dataclass(frozen=True)
class Question:
    """What is to be found out besides what the machine is.

    Attributes
    ----------
    source : str
        Cohort or dataset of a training whose duration is asked for; empty for none.
    settings : TrainingSettings, optional
        Of that training.
    device : str
        Where it shall run.
    checked_cases : int, optional
        Number of its accepted cases, where they have been checked.
    """

    source: str = ""
    settings: TrainingSettings | None = None
    device: str = "auto"
    checked_cases: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give it as a plain dictionary."""
        settings = None if self.settings is None else self.settings.to_json()
        return {**vars(self), "settings": settings}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Question:
        """Read what `to_json` gave."""
        settings = value["settings"]
        return cls(**{**value, "settings": None if settings is None else TrainingSettings.from_json(settings)})


@dataclass(frozen=True)
class Answer:
    """What was found out.

    Attributes
    ----------
    machine : Machine
        The computer as the Python that trains sees it.
    estimate : Estimate, optional
        None where none was asked for or none can be made.
    problem : str
        Why there is no estimate.
    """

    machine: Machine
    estimate: Estimate | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give it as a plain dictionary."""
        estimate = None if self.estimate is None else self.estimate.to_json()
        return {"machine": self.machine.to_json(), "estimate": estimate, "problem": self.problem}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Answer:
        """Read what `to_json` gave."""
        estimate = value["estimate"]
        return cls(
            Machine.from_json(value["machine"]),
            None if estimate is None else Estimate.from_json(estimate),
            value["problem"],
        )


def answer(question: Question) -> Answer:
    """Find out in this process."""
    machine = describe_machine()
    if question.settings is None or not machine.torch:
        return Answer(machine, None, machine.problem)
    try:
        estimate = estimate_training(
            question.source, question.settings, device=question.device, checked_cases=question.checked_cases
        )
    except ThyroidSynthError as error:
        return Answer(machine, None, str(error))
    return Answer(machine, estimate)


class Inquiry:
    """A question put to a process of its own.

    Parameters
    ----------
    python : path-like
        The Python interpreter that would train.
    question : Question
        What to find out.

    Raises
    ------
    JobError
        The process cannot be started.
    """

    def __init__(self, python: Path | str, question: Question) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="thyroidsynth-", ignore_cleanup_errors=True)
        self._answer_file = Path(self._folder.name) / "answer.json"
        self._log_file = Path(self._folder.name) / "log.txt"
        command = [
            str(python),
            "-m",
            "ThyroidSynthLib.jobs.inquiry",
            json.dumps(question.to_json()),
            str(self._answer_file),
        ]
        try:
            with self._log_file.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=child_environment(),
                    **(windows_flags() if sys.platform == "win32" else {}),
                )
        except OSError as error:
            self._folder.cleanup()
            raise JobError(f"{python} cannot be started ({error}). Check the Python interpreter.") from error

    def poll(self) -> Answer | None:
        """Give the answer once it is there, None until then; takes a moment only.

        Raises
        ------
        JobError
            The process ended without an answer.
        """
        if self._process.poll() is None:
            return None
        try:
            return Answer.from_json(read_json(self._answer_file))
        except (InputError, KeyError, TypeError) as error:
            raise JobError(f"This machine could not be tried out: {self._last_words()}") from error
        finally:
            self._folder.cleanup()

    def cancel(self) -> None:
        """End the process; there will be no answer."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _last_words(self) -> str:
        try:
            lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return next((line.strip() for line in reversed(lines) if line.strip()), "the process left no message.")


if __name__ == "__main__":
    write_json(sys.argv[2], answer(Question.from_json(json.loads(sys.argv[1]))).to_json())
