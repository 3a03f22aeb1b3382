"""The options of a training job: from both command lines, and kept when the job is opened again."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from support.mask_files import affine, two_masks, write_case
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.cli.main import make_parser
from ThyroidSynthLib.common.errors import InputError, JobError
from ThyroidSynthLib.jobs.background import train_script
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.job_options import (
    JobOptions,
    job_for,
    job_of_command_line,
    locked_job_of_command_line,
    quality_file,
    read_job_config,
    resumed_job,
)
from ThyroidSynthLib.jobs.job_run import run_job
from ThyroidSynthLib.jobs.module_description import parser_from_xml


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


def test_both_command_lines_train_sine_units(cohort: Path, tmp_path: Path) -> None:
    first = by_command(cohort, "--job", tmp_path / "a", "--activation", "siren", "--omega", 20)
    second = by_script("--input", cohort, "--job", tmp_path / "b", "--activation", "siren", "--omega", 20)

    settings = [job_of_command_line(each, misused=misused).read_config()["settings"] for each in (first, second)]

    assert settings[0] == settings[1]
    assert (settings[0]["activation"], settings[0]["omega"]) == ("siren", 20)
    assert by_command(cohort).omega == by_script("--input", cohort).omega == 30


@pytest.mark.parametrize("parse", [by_command, by_script])
@pytest.mark.parametrize("wrong", [("--activation", "tanh"), ("--omega", 0), ("--omega", 2000)])
def test_both_command_lines_refuse_impossible_units(parse, wrong: tuple[object, ...], capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(*wrong)
    assert str(wrong[0]) in capsys.readouterr().err


def test_an_omega_of_relu_units_is_refused(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'omega' is 20\.0, but it has a meaning for the activation 'siren' only"):
        job_for(tmp_path / "job", JobOptions(cohort, omega=20.0))
    assert not (tmp_path / "job").exists()


def test_a_job_of_a_version_without_sine_units_is_resumed_with_relu_units(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(cohort))
    assert "activation" not in job.read_config()["settings"]
    job.checkpoint_file.touch()

    job_for(tmp_path / "job", JobOptions(cohort))
    with pytest.raises(JobError, match=r"its activation is relu, not siren; its learning_rate is 0\.002, not 0\.0005"):
        job_for(tmp_path / "job", JobOptions(cohort, activation="siren"))


@pytest.mark.parametrize("parse", [by_command, by_script])
def test_a_negative_interval_of_checkpoints_is_refused(parse, tmp_path: Path) -> None:
    flag = "--checkpoint-every" if parse is by_command else "--checkpoint_every"

    with pytest.raises(SystemExit) as leaving:
        parse("--job", tmp_path / "job", flag, "-1")

    assert leaving.value.code == 2


def test_only_an_existing_job_needs_no_input(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=cohort))

    again = job_of_command_line(by_command("--job", job.path), misused=misused)

    assert again.path == job.path
    with pytest.raises(SystemExit, match="give the input"):
        job_of_command_line(by_command("--job", tmp_path / "other"), misused=misused)
    with pytest.raises(SystemExit, match="give the input"):
        job_of_command_line(by_command("--job", job.path, "--restart"), misused=misused)


def test_manual_decisions_stay_with_the_job_and_its_input(dataset: Path, tmp_path: Path) -> None:
    options = JobOptions(input=dataset, include=("s3", "s1"), exclude=("s2",))
    job = job_for(tmp_path / "job", options)
    assert (job.read_config()["include"], job.read_config()["exclude"]) == (["s1", "s3"], ["s2"])

    job_for(job.path, JobOptions(input=dataset))
    assert job.read_config()["include"] == ["s1", "s3"]

    job_for(job.path, JobOptions(input=dataset, include=()))
    assert (job.read_config()["include"], job.read_config()["exclude"]) == ([], ["s2"])

    other = tmp_path / "other dataset"
    other.mkdir()
    job_for(job.path, JobOptions(input=other))
    assert job.read_config()["exclude"] == []


def test_a_training_that_has_begun_keeps_its_cases(dataset: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=dataset, exclude=("s2",)))
    job.checkpoint_file.write_bytes(b"")

    with pytest.raises(JobError, match="other cases of its input"):
        job_for(job.path, JobOptions(input=dataset, exclude=("s3",)))
    job_for(job.path, JobOptions(input=dataset))


def test_no_case_of_a_prepared_cohort_can_be_excluded(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a cohort already"):
        job_for(tmp_path / "job", JobOptions(input=cohort, exclude=("tiny00",)))


def test_a_damaged_configuration_can_be_restarted(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=cohort))
    job.config_file.write_text("{")

    assert job_for(job.path, JobOptions(input=cohort), restart=True).read_config()["kind"] == "training job"


def test_both_command_lines_hold_out_the_same_cases_and_state_the_same_licence(tmp_path: Path) -> None:
    cohort = write_tiny_cohort(tmp_path / "cohort", cases=5, samples_per_shape=50).folder
    first = by_command(
        cohort, "--job", tmp_path / "a", "--held-out", "40%", "--split-seed", 1, "--licence", "CC BY 4.0"
    )
    second = by_script(
        *("--input", cohort, "--job", tmp_path / "b", "--held_out", "0.4", "--split_seed", 1, "--licence", "CC BY 4.0")
    )

    configs = [job_of_command_line(options, misused=misused).read_config() for options in (first, second)]

    assert configs[0] == configs[1]
    assert (configs[0]["held_out"], configs[0]["licence"]) == (0.4, "CC BY 4.0")
    assert len(configs[0]["held_out_ids"]) == 2


@pytest.mark.parametrize("parse", [by_command, by_script])
def test_both_command_lines_refuse_a_wrong_number_of_held_out_cases(parse, cohort: Path, tmp_path: Path) -> None:
    flag = "--held-out" if parse is by_command else "--held_out"
    with pytest.raises(SystemExit, match="such as 40"):
        job_of_command_line(parse("--job", tmp_path / "job", flag, "1.5"), misused=misused)


def test_too_few_training_cases_are_refused_before_a_folder_is_made(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are left for training"):
        job_for(tmp_path / "job", JobOptions(input=cohort, held_out=1.0))
    assert not (tmp_path / "job").exists()


def test_a_training_that_has_begun_keeps_its_held_out_cases(tmp_path: Path) -> None:
    cohort = write_tiny_cohort(tmp_path / "cohort", cases=5, samples_per_shape=50).folder
    job = job_for(tmp_path / "job", JobOptions(input=cohort, held_out=2.0))
    job.checkpoint_file.write_bytes(b"")
    kept = job.read_config()["held_out_ids"]

    # The same two cases, described in three ways.
    for same in (2.0, 0.4, tuple(kept)):
        assert job_for(job.path, JobOptions(input=cohort, held_out=same)).read_config()["held_out_ids"] == kept
    with pytest.raises(JobError, match="it holds out 2 chosen cases, not no case"):
        job_for(job.path, JobOptions(input=cohort))
    others = tuple(name for name in ("tiny00", "tiny01", "tiny02", "tiny03", "tiny04") if name not in kept)[:2]
    with pytest.raises(JobError, match="it holds out other cases"):
        job_for(job.path, JobOptions(input=cohort, held_out=others))
    assert job_for(job.path, JobOptions(input=cohort, held_out=others), restart=True)


def test_a_licence_stays_with_the_job_until_another_is_stated(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=cohort, licence="CC0"))
    assert job_for(job.path, JobOptions(input=cohort)).read_config()["licence"] == "CC0"
    assert job_for(job.path, JobOptions(input=cohort, licence=" MIT ")).read_config()["licence"] == "MIT"


def test_a_job_of_another_format_version_can_only_be_restarted(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=cohort))
    job.checkpoint_file.write_bytes(b"")
    job.write_config({**job.read_config(), "format_version": 1})

    for attempt in (lambda: job_for(job.path, JobOptions(input=cohort)), lambda: resumed_job(job.path)):
        with pytest.raises(JobError, match="has format version 1"):
            attempt()
    assert job_for(job.path, JobOptions(input=cohort), restart=True).read_config()["format_version"] == 2


def test_two_commands_on_a_job_never_mix_their_options(tmp_path: Path, cohort: Path) -> None:
    import subprocess
    import sys

    hold = (
        "import sys; from ThyroidSynthLib.jobs.job import JobFolder\n"
        "with JobFolder(sys.argv[1]).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    job = job_for(tmp_path / "job", JobOptions(input=cohort, seed=1))
    before = {path.name: path.read_bytes() for path in job.path.iterdir()}
    command = [sys.executable, "-c", hold, str(job.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        options = by_command(cohort, "--job", job.path, "--seed", "2", "--restart")
        with pytest.raises(JobError, match="is being trained"), locked_job_of_command_line(options, misused=misused):
            pass
        with pytest.raises(JobError, match="is being trained"):
            job_for(job.path, JobOptions(input=cohort, seed=2), restart=True)
        holder.communicate("")
    assert {path.name: path.read_bytes() for path in job.path.iterdir()} == before

    with locked_job_of_command_line(options, misused=misused) as found:
        assert found.read_config()["settings"]["seed"] == 2


def test_a_command_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    options = by_command(tmp_path / "nothing", "--job", tmp_path / "new" / "job")
    with pytest.raises(InputError, match="does not exist"), locked_job_of_command_line(options, misused=misused):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_prepares_its_cohort_is_resumed_after_its_folder_was_moved(tmp_path: Path) -> None:
    thyroid, trachea = two_masks()
    for number in range(2):
        write_case(tmp_path / "dataset" / f"s{number}", thyroid, trachea, affine(degrees=number))
    job = job_for(tmp_path / "job", JobOptions(input=tmp_path / "dataset", epochs=2))
    run_job(job, check_only=True)
    moved = JobFolder(job.path.rename(tmp_path / "moved"))

    assert quality_file(read_job_config(moved)) == tmp_path / "moved" / "cohort" / "quality.csv"
    assert run_job(resumed_job(moved.path)) == moved.model_file
    assert not job.path.exists()


def test_a_job_is_resumed_on_its_own_device_or_another_one(cohort: Path, tmp_path: Path) -> None:
    job = job_for(tmp_path / "job", JobOptions(input=cohort, device="cuda"))
    config = job.read_config()

    assert resumed_job(job.path).read_config() == config
    assert resumed_job(job.path, device="auto").read_config() == {**config, "device": "auto"}
