"""Estimates of a training: close to its duration, and made in a process of their own."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from support.mask_files import affine, two_masks, write_case
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import InputError, JobError
from ThyroidSynthLib.common.processes import start_time
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort
from ThyroidSynthLib.jobs.estimate import (
    BackgroundEstimate,
    Estimate,
    EstimateRequest,
    EstimateResult,
    estimate_here,
    estimate_training,
)
from ThyroidSynthLib.jobs.machine import Gpu, Machine, describe_machine, main_memory
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.training import loop
from ThyroidSynthLib.training.loop import train

SMALL = {"samples_per_shape": 200, "hidden_width": 32, "latent_size": 8, "mirrored_size": 2}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=5, samples_per_shape=300)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("variant", ["fixed", "correlation"])
def test_an_estimate_is_close_to_the_duration_of_the_training(cohort: Cohort, variant: str) -> None:
    settings = settings_for("fast", variant, epochs=40, **SMALL)

    ratios = []
    for _ in range(3):
        estimate = estimate_training(cohort.folder, settings, device="cpu", patience_s=0.3)
        assert (estimate.device, estimate.cases, estimate.cases_checked) == ("cpu", 5, True)
        began = time.monotonic()
        train(cohort, settings, device="cpu")
        ratios.append((time.monotonic() - began) / estimate.total_s(40))
        if 1 / 5 < ratios[-1] < 5:
            return

    # Three attempts, because the load of the computer may change between the two measurements.
    pytest.fail(f"durations relative to their estimates: {ratios}")


def test_the_estimate_includes_the_organs_of_a_cohort(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        write_case(tmp_path / "dataset" / f"s{number}", *two_masks((40, 36, 44 + 4 * number)), affine())
    prepare_cohort(
        tmp_path / "dataset", tmp_path / "cohort", PrepareOptions(samples_per_shape=300, organs=("trachea",))
    )
    # An epoch of the thyroid takes 2 s, one of an organ 1 s.
    monkeypatch.setattr(loop, "seconds_per_epoch", lambda data, settings, **_: 2.0 if settings.mirrored_size else 1.0)

    without = estimate_training(cohort.folder, settings_for("fast", "fixed"), device="cpu").total_s(200)
    estimate = estimate_training(tmp_path / "cohort", settings_for("fast", "fixed"), device="cpu")

    assert without == pytest.approx(400.0)
    assert estimate.total_s(200) == pytest.approx(400.0 + 67.0)


def test_the_estimate_of_a_dataset_includes_its_preparation(tmp_path: Path) -> None:
    thyroid, trachea = two_masks()
    for number in range(3):
        write_case(tmp_path / "dataset" / f"s{number}", thyroid, trachea, affine(degrees=number))
    settings = settings_for("fast", "fixed", **SMALL)

    unchecked = estimate_training(tmp_path / "dataset", settings, device="cpu", patience_s=0.05)
    checked = estimate_training(tmp_path / "dataset", settings, device="cpu", patience_s=0.05, checked_cases=2)

    assert not unchecked.cases_checked and unchecked.cases == 3
    assert unchecked.check_s > 0 and unchecked.sample_s > 0
    assert checked.cases_checked and checked.cases == 2
    assert checked.check_s == 0 and checked.sample_s > 0
    fewer = unchecked.for_checked(2)
    assert fewer.cases_checked and (fewer.cases, fewer.check_s) == (2, 0)
    assert fewer.total_s(10) < unchecked.total_s(10)
    assert unchecked.total_s(10) > unchecked.check_s + unchecked.sample_s + 9 * unchecked.seconds_per_epoch
    assert not (tmp_path / "dataset" / "cohort").exists()


def test_a_missing_input_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        estimate_training(tmp_path / "nowhere", settings_for("fast", "fixed"), device="cpu")


def test_an_estimate_is_made_in_a_process_of_its_own(cohort: Cohort, temporary: Path) -> None:
    request = EstimateRequest(str(cohort.folder), settings_for("fast", "fixed", **SMALL), "cpu")

    process = BackgroundEstimate(sys.executable, request)
    assert process.poll() is None
    found = wait_for(process.poll)

    assert found.machine.torch and found.machine.cores >= 1
    assert found.estimate.cases == 5 and found.estimate.seconds_per_epoch > 0
    assert not any(temporary.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_cancelled_estimate_leaves_no_process_and_no_file(tmp_path: Path, temporary: Path) -> None:
    pid_file = tmp_path / "pid"
    process = BackgroundEstimate(interpreter(tmp_path, f"echo $$ > '{pid_file}'; exec sleep 60"), EstimateRequest())
    pid = int(wait_for(lambda: (pid_file.exists() and pid_file.read_text()) or None))
    assert start_time(pid)

    process.cancel()

    assert start_time(pid) is None and not any(temporary.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_process_that_ends_without_a_result_is_reported_with_its_last_line(tmp_path: Path) -> None:
    process = BackgroundEstimate(interpreter(tmp_path, "echo no library here; exit 3"), EstimateRequest())

    with pytest.raises(JobError, match="no library here"):
        wait_for(process.poll)


def test_a_missing_interpreter_is_reported(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="Check the Python interpreter"):
        BackgroundEstimate(tmp_path / "none", EstimateRequest())


def interpreter(folder: Path, script: str) -> Path:
    """Write a shell script that stands in for a Python interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_failed_estimate_still_describes_the_computer(tmp_path: Path) -> None:
    found = estimate_here(EstimateRequest(str(tmp_path / "nowhere"), settings_for("fast", "fixed")))

    assert found.estimate is None and "does not exist" in found.problem
    assert found.machine.cores >= 1


def test_requests_and_results_are_restored_from_json() -> None:
    machine = Machine(8, 16_000, None, "2.5+cu124", "12.4", (Gpu("A", 10, 5),))
    found = EstimateResult(machine, Estimate("cuda", 10, False, 0.5, 1.0, 2.0, 80), "")
    question = EstimateRequest("here", settings_for("paper", "baseline"), "cuda", 12)

    assert EstimateResult.from_json(json.loads(json.dumps(asdict(found)))) == found
    assert EstimateRequest.from_json(json.loads(json.dumps(asdict(question)))) == question


def test_the_computer_is_described() -> None:
    machine = describe_machine()
    total, free = main_memory()

    assert 1 <= machine.cores <= os.cpu_count()
    assert 0 < free < total
    assert machine.torch


def wait_for(poll, seconds: float = 60.0):
    deadline = time.monotonic() + seconds
    while (found := poll()) is None:
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found
