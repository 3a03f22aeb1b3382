"""Cases to train on, estimates that need no process, and a job whose process ends with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from support.mask_files import affine, two_masks, write_case
from ThyroidSynthLib.jobs.estimate import Estimate, EstimateRequest, EstimateResult
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.machine import Machine

CPU = Machine(8, 32 * 1024**3, 16 * 1024**3, "2.5.1")


@pytest.fixture
def estimates(monkeypatch):
    """Replace the background estimate: `requests` records its requests, `result` is what it returns."""

    class ImmediateEstimate:
        requests: ClassVar[list[EstimateRequest]] = []
        result = EstimateResult(CPU, Estimate("cpu", 100, True, 1.5))

        def __init__(self, python, request):
            self.requests.append(request)

        def poll(self):
            return self.result

        def cancel(self):
            pass

    monkeypatch.setattr("ThyroidSynthLib.slicer.panel.training.estimate.BackgroundEstimate", ImmediateEstimate)
    return ImmediateEstimate


@pytest.fixture
def job_folder(tmp_path) -> Iterator[Path]:
    """Return the folder of a job, whose process is ended after the test."""
    job = JobFolder(tmp_path / "job")
    yield job.path
    if job.exists() and job.is_running():
        job.running_process().kill()


@pytest.fixture
def cases(tmp_path):
    """Write two valid cases, one cut by the scan's border and one without a gland."""
    thyroid, trachea = two_masks()
    for number, share in enumerate((1, 1, 12, 0)):
        gland = 0 * thyroid if share == 0 else thyroid
        cut = slice(share if share > 1 else 0, None)
        write_case(tmp_path / "dataset" / f"s{number}", gland[cut], trachea[cut], affine(degrees=number))
    return tmp_path / "dataset"


@pytest.fixture
def opened(hands, estimates, job_folder):
    hands.open("train")
    hands.app.process_events()
    return hands
