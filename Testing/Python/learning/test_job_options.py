"""What the user chooses becomes the same job through every door."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from ThyroidSynthLib.cli.main import make_parser
from ThyroidSynthLib.errors import InputError, JobError
from ThyroidSynthLib.learning.background import train_script
from ThyroidSynthLib.learning.job_options import JobOptions, job_for, job_of_command_line
from ThyroidSynthLib.learning.module_description import parser_from_xml
from tiny_cohort import write_tiny_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=2, samples_per_shape=200).folder


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    return folder


def misused(message: str) -> None:
    raise SystemExit(message)


def by_command(*words: object) -> argparse.Namespace:
    return make_parser().parse_args(["train", *map(str, words)])


def by_script(*words: object) -> argparse.Namespace:
    return parser_from_xml(train_script().with_suffix(".xml")).parse_args([str(word) for word in words])


@pytest.mark.parametrize("seconds", [0, 30, 12.5])
def test_both_command_lines_make_the_same_job(cohort: Path, tmp_path: Path, seconds: float) -> None:
    first = by_command(cohort, "--job", tmp_path / "a", "--epochs", 3, "--checkpoint-every", seconds)
    second = by_script("--input", cohort, "--job", tmp_path / "b", "--epochs", 3, "--checkpoint_every", seconds)

    configs = [job_of_command_line(options, misused=misused).read_config() for options in (first, second)]

    assert configs[0] == configs[1]
    assert configs[0]["checkpoint_every_s"] == seconds


@pytest.mark.parametrize("parse", [by_command, by_script])
def test_a_negative_rhythm_of_checkpoints_is_refused(parse, tmp_path: Path) -> None:
    flag = "--checkpoint-every" if parse is by_command else "--checkpoint_every"

    with pytest.raises(SystemExit) as leaving:
        parse("--job", tmp_path / "job", flag, "-1")

    assert leaving.value.code == 2


def test_a_job_goes_on_without_its_input_and_a_new_one_does_not_begin(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=cohort))

    again = job_of_command_line(by_command("--job", job.path), misused=misused)

    assert again.path == job.path
    with pytest.raises(SystemExit, match="give the input"):
        job_of_command_line(by_command("--job", tmp_path / "other"), misused=misused)
    with pytest.raises(SystemExit, match="give the input"):
        job_of_command_line(by_command("--job", job.path, "--restart"), misused=misused)


def test_the_users_word_on_cases_stays_with_the_job_and_its_input(dataset: Path, tmp_path: Path) -> None:
    options = JobOptions(input=dataset, accept=("s3", "s1"), reject=("s2",))
    job = job_for(tmp_path / "job", options)
    assert (job.read_config()["accept"], job.read_config()["reject"]) == (["s1", "s3"], ["s2"])

    job_for(job.path, JobOptions(input=dataset))
    assert job.read_config()["accept"] == ["s1", "s3"]

    job_for(job.path, JobOptions(input=dataset, accept=()))
    assert (job.read_config()["accept"], job.read_config()["reject"]) == ([], ["s2"])

    other = tmp_path / "other dataset"
    other.mkdir()
    job_for(job.path, JobOptions(input=other))
    assert job.read_config()["reject"] == []


def test_a_training_that_has_begun_keeps_its_cases(dataset: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=dataset, reject=("s2",)))
    job.checkpoint_file.write_bytes(b"")

    with pytest.raises(JobError, match="other cases of its input"):
        job_for(job.path, JobOptions(input=dataset, reject=("s3",)))
    job_for(job.path, JobOptions(input=dataset))


def test_no_case_of_a_finished_cohort_can_be_left_out(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a cohort already"):
        job_for(tmp_path / "job", JobOptions(input=cohort, reject=("tiny00",)))


def test_a_damaged_configuration_can_be_restarted(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=cohort))
    job.config_file.write_text("{")

    assert job_for(job.path, JobOptions(input=cohort), restart=True).read_config()["kind"] == "training job"
