"""How long a training will take: measured on this machine with its own settings, not looked up.

Estimates are made in a process of their own, see `inquiry`; there PyTorch loads while nobody waits.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.common.workers import usable_workers
from ThyroidSynthLib.dataset.case_sources import CaseSource, find_cases
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.cohort_writing import SAMPLES_PER_SHAPE
from ThyroidSynthLib.dataset.prepare import PrepareOptions, check_cases, prepare_cohort
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.presets import TrainingSettings, alignment_for

from .job_options import is_prepared

_BYTES_OF_A_SHAPE = SAMPLES_PER_SHAPE * 4 * 4
_TRIED_CASES = 4


@dataclass(frozen=True)
class Estimate:
    """What a training will take.

    Attributes
    ----------
    device : str
        "cpu" or "cuda", where it was measured.
    cases : int
        Cases it was reckoned for.
    cases_checked : bool
        False where cases may still be refused, so that this is the most it will take.
    seconds_per_epoch : float
        Measured.
    check_s, sample_s : float
        Checking all cases, and drawing the samples of all; 0 where that is done.
    gpu_bytes : int
        What the samples take of a GPU's memory; 0 on the processor.
    held_out : int
        Further cases that are prepared and kept from the training.
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
        """Give the seconds of a training of so many epochs from the beginning to the model file."""
        return self.check_s + self.sample_s + epochs * self.seconds_per_epoch

    def for_checked(self, cases: int) -> Estimate:
        """Give what it is for a number of cases that have been checked: every part of it grows with them."""
        share = cases / max(self.cases, 1)
        return replace(
            self,
            cases=cases,
            cases_checked=True,
            seconds_per_epoch=share * self.seconds_per_epoch,
            check_s=0.0,
            sample_s=share * self.sample_s,
            gpu_bytes=round(share * self.gpu_bytes),
        )

    def holding_out(self, count: int) -> Estimate:
        """Give what it is when so many of the cases are prepared and not learnt from."""
        share = (self.cases - count) / max(self.cases, 1)
        return replace(
            self,
            cases=self.cases - count,
            held_out=self.held_out + count,
            seconds_per_epoch=share * self.seconds_per_epoch,
            gpu_bytes=round(share * self.gpu_bytes),
        )

    def to_json(self) -> dict[str, Any]:
        """Give it as a plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Estimate:
        """Read what `to_json` gave."""
        return cls(**value)


def estimate_training(
    source: Path | str,
    settings: TrainingSettings,
    *,
    device: str = "auto",
    checked_cases: int | None = None,
    patience_s: float = 1.5,
) -> Estimate:
    """Measure what a training will take.

    Parameters
    ----------
    source : path-like
        A cohort folder, or segmentations that are prepared first.
    checked_cases : int, optional
        Number of accepted cases, where they have been checked.
    patience_s : float
        How long training steps are tried out.

    Raises
    ------
    InputError, CohortError, ModelError
        There is nothing to train on, or no such device.
    """
    from ThyroidSynthLib.training.device import choose_device
    from ThyroidSynthLib.training.loop import seconds_per_epoch

    source = Path(source)
    check_s = sample_s = 0.0
    checked = True
    if is_prepared(source):
        cases = len(Cohort.open(source).ids)
    else:
        found = find_cases(source)
        cases = len(found) if checked_cases is None else checked_cases
        one_checked_s, one_sampled_s = _seconds_per_case(found, alignment_for(settings.preset))
        workers = min(usable_workers(), max(cases, 1))
        sample_s = one_sampled_s * cases / workers
        if checked_cases is None:
            checked, check_s = False, one_checked_s * cases / workers
    where = choose_device(device)
    seconds = seconds_per_epoch(_outline(max(cases, 1)), settings, device=str(where), patience_s=patience_s)
    needed = cases * _BYTES_OF_A_SHAPE if where.type == "cuda" else 0
    return Estimate(where.type, cases, checked, seconds, check_s, sample_s, needed)


@dataclass(frozen=True)
class _Outline:
    """As much of a cohort as a training step looks at; nothing of it is true but its size."""

    ids: tuple[str, ...]
    features: np.ndarray
    samples: np.ndarray


def _outline(cases: int) -> _Outline:
    rng = np.random.default_rng(0)
    few = rng.normal(0, 0.5, size=(1, 16, 4)).astype(np.float32)
    return _Outline(
        ids=tuple(map(str, range(cases))),
        features=rng.uniform(0.1, 1.0, size=(cases, len(FEATURE_NAMES))),
        samples=np.broadcast_to(few, (cases, *few.shape[1:])),
    )


def _seconds_per_case(sources: list[CaseSource], alignment: str) -> tuple[float, float]:
    """Prepare one case into a folder that is thrown away; give the seconds of checking and of sampling it."""
    taken = (0.0, 0.0)
    options = PrepareOptions(alignment=alignment)
    valid = 0
    with tempfile.TemporaryDirectory(prefix="thyroidsynth-") as folder:
        for number, source in enumerate(sources[:_TRIED_CASES]):
            place = Path(folder) / str(number)
            try:
                began = time.monotonic()
                # Taken whatever quality control says: what a case costs does not depend on that.
                summary = check_cases([source], place, options, workers=1)
                checked = time.monotonic()
                if summary.unreadable or not summary.cases:
                    continue
                prepare_cohort([source], place, replace(options, include=(source.id,)), workers=1)
            except ThyroidSynthError:  # Without a gland; the next one.
                continue
            taken = (checked - began, time.monotonic() - checked)
            valid += 1
            if valid == 2:  # The first one also loaded the libraries.
                break
    return taken
