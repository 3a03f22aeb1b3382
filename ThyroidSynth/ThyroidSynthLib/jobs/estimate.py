"""How long a training will take: measured on this computer with its settings, in a process of its own.

A process of its own, so that neither the import of PyTorch nor the trial blocks the user interface.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError, JobError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.processes import background_flags
from ThyroidSynthLib.common.workers import usable_workers
from ThyroidSynthLib.dataset.case_sources import CaseSource, find_cases
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.cohort_writing import SAMPLES_PER_SHAPE
from ThyroidSynthLib.dataset.prepare import PrepareOptions, check_cases, prepare_cohort
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.presets import alignment_for, organ_settings
from ThyroidSynthLib.model.settings import TrainingSettings

from .background import child_environment
from .job import last_line
from .job_options import is_prepared
from .machine import Gpu, Machine, describe_machine

_BYTES_PER_SHAPE = SAMPLES_PER_SHAPE * 4 * 4
_MOST_CASES_TRIED = 4


@dataclass(frozen=True)
class Estimate:
    """The estimated duration and GPU memory of a training.

    Attributes
    ----------
    device : str
        "cpu" or "cuda", where it was measured.
    cases_checked : bool
        False if quality control has not run: it may refuse cases, so the estimate is an upper limit.
    check_s, sample_s : float
        Duration of checking the cases and of drawing their samples; 0 if that is done.
    gpu_bytes : int
        GPU memory of the samples; 0 on a CPU.
    cases, held_out : int
        Number of training cases, and of cases that are only prepared and held out.
    """

    device: str
    cases: int
    cases_checked: bool
    seconds_per_epoch: float
    check_s: float = 0.0
    sample_s: float = 0.0
    gpu_bytes: int = 0
    held_out: int = 0

    def total_s(self, epochs: int) -> float:
        """Return the duration in seconds from the start to the model file."""
        return self.check_s + self.sample_s + epochs * self.seconds_per_epoch

    def for_checked(self, cases: int) -> Estimate:
        """Return the estimate for a number of checked cases; each part is proportional to their number."""
        sample_s = self.sample_s * cases / max(self.cases, 1)
        return replace(self._with_training_cases(cases), cases_checked=True, check_s=0.0, sample_s=sample_s)

    def holding_out(self, count: int) -> Estimate:
        """Return the estimate if `count` of the cases are prepared and held out."""
        return replace(self._with_training_cases(self.cases - count), held_out=self.held_out + count)

    def _with_training_cases(self, cases: int) -> Estimate:
        share = cases / max(self.cases, 1)
        seconds, gpu_bytes = share * self.seconds_per_epoch, round(share * self.gpu_bytes)
        return replace(self, cases=cases, seconds_per_epoch=seconds, gpu_bytes=gpu_bytes)


@dataclass(frozen=True)
class EstimateRequest:
    """The training to estimate; without settings, only the computer is described.

    Attributes
    ----------
    source : str
        Cohort folder, or segmentations that are prepared first.
    device : str
        "auto", "cpu" or "cuda".
    checked_cases : int, optional
        Number of accepted cases, if quality control has run.
    """

    source: str = ""
    settings: TrainingSettings | None = None
    device: str = "auto"
    checked_cases: int | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EstimateRequest:
        """Return the request of which `value` is the result of `asdict`."""
        settings = value["settings"]
        return cls(**{**value, "settings": None if settings is None else TrainingSettings.from_json(settings)})


@dataclass(frozen=True)
class EstimateResult:
    """The computer and the estimate on it.

    Attributes
    ----------
    estimate : Estimate, optional
        None if none was requested or it failed.
    problem : str
        Why there is no estimate.
    """

    machine: Machine
    estimate: Estimate | None = None
    problem: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EstimateResult:
        """Return the result of which `value` is the result of `asdict`, also after a conversion to JSON."""
        machine, estimate = value["machine"], value["estimate"]
        machine = Machine(**{**machine, "gpus": tuple(Gpu(**gpu) for gpu in machine["gpus"])})
        return cls(machine, None if estimate is None else Estimate(**estimate), value["problem"])


class BackgroundEstimate:
    """An estimate that is made in a process of its own, by the Python interpreter that would train.

    Raises `JobError` if the process cannot be started.
    """

    def __init__(self, python: Path | str, request: EstimateRequest) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="thyroidsynth-", ignore_cleanup_errors=True)
        self._result_file = Path(self._folder.name) / "result.json"
        self._log_file = Path(self._folder.name) / "log.txt"
        module = "ThyroidSynthLib.jobs.estimate"
        command = [str(python), "-m", module, json.dumps(asdict(request)), str(self._result_file)]
        try:
            with self._log_file.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=child_environment(),
                    creationflags=background_flags(),
                )
        except OSError as error:
            self._folder.cleanup()
            raise JobError(f"{python} cannot be started ({error}). Check the Python interpreter.") from error

    def poll(self) -> EstimateResult | None:
        """Return the result, or None while the process runs; `JobError` if it ended without a result."""
        if self._process.poll() is None:
            return None
        try:
            return EstimateResult.from_json(read_json(self._result_file))
        except (InputError, KeyError, TypeError) as error:
            raise JobError(f"The duration could not be estimated: {last_line(self._log_file)}") from error
        finally:
            self._folder.cleanup()

    def cancel(self) -> None:
        """End the process without a result."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


def estimate_here(request: EstimateRequest) -> EstimateResult:
    """Make an estimate in this process."""
    machine = describe_machine()
    if request.settings is None or not machine.torch:
        return EstimateResult(machine, None, machine.problem)
    try:
        estimate = estimate_training(
            request.source, request.settings, device=request.device, checked_cases=request.checked_cases
        )
    except ThyroidSynthError as error:
        return EstimateResult(machine, None, str(error))
    return EstimateResult(machine, estimate)


def estimate_training(
    source: Path | str,
    settings: TrainingSettings,
    *,
    device: str = "auto",
    checked_cases: int | None = None,
    patience_s: float = 1.5,
) -> Estimate:
    """Measure how long a training takes.

    Parameters
    ----------
    source : path-like
        A cohort folder, or segmentations that are prepared first.
    checked_cases : int, optional
        Number of accepted cases, if quality control has run.
    patience_s : float
        Duration of the trial of training steps, in seconds.

    Raises
    ------
    InputError, CohortError, ModelError
        There is nothing to train on, or the device does not exist.
    """
    from ThyroidSynthLib.training.device import choose_device
    from ThyroidSynthLib.training.loop import seconds_per_epoch

    source = Path(source)
    check_s = sample_s = 0.0
    checked = True
    organs = 0
    if is_prepared(source):
        cohort = Cohort.open(source)
        cases, organs = len(cohort.ids), len(cohort.organs)
    else:
        found = find_cases(source)
        cases = len(found) if checked_cases is None else checked_cases
        check_one_s, sample_one_s = _seconds_per_case(found, alignment_for(settings.preset))
        workers = min(usable_workers(), max(cases, 1))
        sample_s = sample_one_s * cases / workers
        if checked_cases is None:
            checked, check_s = False, check_one_s * cases / workers
    torch_device = choose_device(device)
    placeholder = _PlaceholderCohort.of(max(cases, 1))
    seconds = seconds_per_epoch(placeholder, settings, device=str(torch_device), patience_s=patience_s)
    if organs:
        of_organ = organ_settings(settings)
        share = organs * of_organ.epochs / settings.epochs
        seconds += share * seconds_per_epoch(placeholder, of_organ, device=str(torch_device), patience_s=patience_s / 3)
    gpu_bytes = cases * _BYTES_PER_SHAPE if torch_device.type == "cuda" else 0
    return Estimate(torch_device.type, cases, checked, seconds, check_s, sample_s, gpu_bytes)


@dataclass(frozen=True)
class _PlaceholderCohort:
    """Random data with what a training step reads of a cohort; only the number of cases is that of the cohort."""

    ids: tuple[str, ...]
    features: np.ndarray
    samples: np.ndarray

    @classmethod
    def of(cls, cases: int) -> _PlaceholderCohort:
        rng = np.random.default_rng(0)
        few = rng.normal(0, 0.5, size=(1, 16, 4)).astype(np.float32)
        return cls(
            ids=tuple(map(str, range(cases))),
            features=rng.uniform(0.1, 1.0, size=(cases, len(FEATURE_NAMES))),
            samples=np.broadcast_to(few, (cases, *few.shape[1:])),
        )


def _seconds_per_case(sources: list[CaseSource], alignment: str) -> tuple[float, float]:
    """Prepare a case in a temporary folder; return the seconds of checking it and of drawing its samples."""
    seconds = (0.0, 0.0)
    options = PrepareOptions(alignment=alignment)
    prepared = 0
    with tempfile.TemporaryDirectory(prefix="thyroidsynth-") as parent:
        for number, source in enumerate(sources[:_MOST_CASES_TRIED]):
            folder = Path(parent) / str(number)
            try:
                began = time.monotonic()
                summary = check_cases([source], folder, options, workers=1)
                checked = time.monotonic()
                if summary.unreadable or not summary.cases:
                    continue
                # Included whatever the verdict is: the duration does not depend on it.
                prepare_cohort([source], folder, replace(options, include=(source.id,)), workers=1)
            except ThyroidSynthError:  # For example a case without a thyroid: try the next one.
                continue
            seconds = (checked - began, time.monotonic() - checked)
            prepared += 1
            if prepared == 2:  # The first case also includes the import of libraries.
                break
    return seconds


if __name__ == "__main__":
    write_json(sys.argv[2], asdict(estimate_here(EstimateRequest.from_json(json.loads(sys.argv[1])))))
