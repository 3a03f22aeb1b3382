"""Estimates are measured on this machine, in a process of their own, and fit the training they are about."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from support.mask_files import affine, two_masks, write_case
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import InputError, JobError
from ThyroidSynthLib.dataset.cohort import Cohort
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
from ThyroidSynthLib.training.loop import train

SMALL = {"samples_per_shape": 200, "hidden_width": 32, "latent_size": 8, "mirrored_size": 2}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=5, samples_per_shape=300)


@pytest.mark.parametrize("variant", ["fixed", "correlation"])
def test_an_estimate_is_near_what_the_training_takes(cohort: Cohort, variant: str) -> None:
    settings = settings_for("fast", variant, epochs=40, **SMALL)

    estimate = estimate_training(cohort.folder, settings, device="cpu", patience_s=0.3)
    began = time.monotonic()
    train(cohort, settings, device="cpu")
    took = time.monotonic() - began

    assert (estimate.device, estimate.cases, estimate.cases_checked) == ("cpu", 5, True)
    # Generous, for other work on the machine comes and goes.
    assert took / 5 < estimate.total_s(40) < took * 5


def test_the_estimate_of_a_dataset_counts_its_preparation(tmp_path: Path) -> None:
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


def test_nothing_to_train_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        estimate_training(tmp_path / "nowhere", settings_for("fast", "fixed"), device="cpu")


def test_a_question_is_answered_by_a_process_of_its_own(cohort: Cohort) -> None:
    question = EstimateRequest(str(cohort.folder), settings_for("fast", "fixed", **SMALL), "cpu")

    inquiry = BackgroundEstimate(sys.executable, question)
    assert inquiry.poll() is None
    folder = Path(inquiry._folder.name)
    found = wait_for(inquiry.poll)

    assert found.machine.torch and found.machine.cores >= 1
    assert found.estimate.cases == 5 and found.estimate.seconds_per_epoch > 0
    assert not folder.exists()


def test_a_question_that_is_taken_back_leaves_no_process_and_no_file(cohort: Cohort) -> None:
    inquiry = BackgroundEstimate(sys.executable, EstimateRequest())
    folder, process = Path(inquiry._folder.name), inquiry._process

    inquiry.cancel()

    assert process.returncode is not None and not folder.exists()


def test_a_process_without_an_answer_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    # An interpreter that ends at once, whatever it is asked.
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no library here\nexit 3\n")
    python.chmod(0o755)
    if os.name != "posix":
        pytest.skip("needs a shell")

    inquiry = BackgroundEstimate(python, EstimateRequest())

    with pytest.raises(JobError, match="no library here"):
        wait_for(inquiry.poll)
    with pytest.raises(JobError, match="Check the Python interpreter"):
        BackgroundEstimate(tmp_path / "none", EstimateRequest())


def test_what_cannot_be_estimated_is_told_beside_the_machine(tmp_path: Path) -> None:
    found = estimate_here(EstimateRequest(str(tmp_path / "nowhere"), settings_for("fast", "fixed")))

    assert found.estimate is None and "does not exist" in found.problem
    assert found.machine.cores >= 1


def test_questions_and_answers_travel_as_json() -> None:
    machine = Machine(8, 16_000, None, "2.5+cu124", "12.4", (Gpu("A", 10, 5),))
    found = EstimateResult(machine, Estimate("cuda", 10, False, 0.5, 1.0, 2.0, 80), "")
    question = EstimateRequest("here", settings_for("paper", "baseline"), "cuda", 12)

    assert EstimateResult.from_json(found.to_json()) == found
    assert EstimateRequest.from_json(question.to_json()) == question


def test_the_machine_is_described() -> None:
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
