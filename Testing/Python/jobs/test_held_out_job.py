"""Held-out cases of a job: left out of the training, recorded in the model, and the same after resuming."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.report.inspection import describe
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for
from ThyroidSynthLib.jobs.job_run import run_job
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=5, samples_per_shape=100)


def test_the_model_records_its_held_out_cases(cohort: Cohort, tmp_path: Path) -> None:
    options = JobOptions(
        input=cohort.folder, model=tmp_path / "model.safetensors", epochs=1, device="cpu", held_out=0.4, licence="CC0"
    )
    job = job_for(tmp_path / "job", options)
    model = TrainedModel.load(run_job(job))

    held_out = job.read_config()["held_out_ids"]
    assert len(held_out) == 2 and sorted([*model.ids, *held_out]) == list(cohort.ids)
    about = model.provenance["cohort"]
    assert about["held_out"] == held_out and about["part"] == "3 of 5 cases, held out: 2"
    assert about["whole"]["checksum"] == cohort.checksum != about["checksum"]
    state = job.read_state()
    assert (state.cases, state.held_out) == (3, 2)
    described = describe(job.path)
    assert (described["cases"], described["held_out"]) == (3, 2)
    card = describe_model(options.model)
    assert (card.cases, card.held_out, card.licence) == (3, 2, "CC0")


def test_a_resumed_training_holds_out_the_same_cases(cohort: Cohort, tmp_path: Path) -> None:
    options = JobOptions(input=cohort.folder, epochs=2, device="cpu", held_out=2.0, split_seed=5)
    job = job_for(tmp_path / "job", options)
    with pytest.raises(Cancelled):
        run_job(job, on_snapshot=lambda epoch, model_of: job.request_stop())
    held_out = job.read_config()["held_out_ids"]

    model = TrainedModel.load(run_job(job_for(job.path, options)))

    assert model.provenance["cohort"]["held_out"] == held_out
    assert model.provenance["training"]["epochs"] == 2


def test_by_default_no_case_is_held_out_and_no_licence_is_stated(cohort: Cohort, tmp_path: Path) -> None:
    path = run_job(job_for(tmp_path / "job", JobOptions(input=cohort.folder, epochs=1, device="cpu")))
    card = describe_model(path)
    assert (card.cases, card.held_out, card.licence) == (5, 0, "")
