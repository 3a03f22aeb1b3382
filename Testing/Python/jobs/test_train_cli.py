"""The ThyroidSynthTrain script.

Tests of signals, killing and a second start run it in a process of its own. The others call its main function, because
importing PyTorch takes longer than these trainings.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.quality_table import read_quality_table
from ThyroidSynthLib.jobs import background
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for, quality_file
from ThyroidSynthLib.jobs.job_run import run_job
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.model.trained_model import TrainedModel

SCRIPT = background.train_script()
_SPEC = importlib.util.spec_from_file_location("ThyroidSynthTrain", SCRIPT)
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)

# On one thread a training is reproducible, and the other cores are free for other tests.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
LONG = ["--epochs", "100000"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=3, samples_per_shape=1500).folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases in the layout of the TotalSegmentator training dataset: two lobes beside a tube."""
    root = tmp_path_factory.mktemp("datasets")
    z, y, x = (np.arange(48) - 24.0)[:, None, None], (np.arange(40) - 20.0)[:, None], np.arange(48) - 24.0
    for number, width in enumerate((5.0, 6.0)):
        folder = root / f"s{number:04d}" / "segmentations"
        folder.mkdir(parents=True)
        thyroid = ((np.abs(x) - 8) / width) ** 2 + (y / 6) ** 2 + (z / 14) ** 2 < 1
        trachea = (x**2 + (y - 8) ** 2 < 16) & (np.abs(z) < 20)
        for name, mask in (("thyroid_gland", thyroid), ("trachea", trachea)):
            image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
            image.SetSpacing((1.5, 1.5, 1.5))
            SimpleITK.WriteImage(image, folder / f"{name}.nii.gz")
    return root


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "job")


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(SCRIPT), "--device", "cpu", *map(str, arguments)]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the script in this process, with the same result as a process."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        try:
            code = script.main(["--device", "cpu", *map(str, arguments)])
        except SystemExit as exit:
            code = exit.code
        captured = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, captured.out, captured.err)

    return run


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def wait_for_epoch(job: JobFolder, epoch: int) -> None:
    wait_for(lambda: job.read_metrics(since=epoch - 1))


def curve(job: JobFolder) -> list[tuple[int, float, dict[str, float]]]:
    return [(record["epoch"], record["loss"], record["losses"]) for record in job.read_metrics()]


def test_training_writes_the_model_and_reports_its_result(cohort: Path, job: JobFolder, tmp_path: Path) -> None:
    model = tmp_path / "models" / "thyroid.safetensors"

    arguments = command("--input", cohort, "--job", job.path, "--model", model, "--epochs", 4, "--json")
    result = subprocess.run(arguments, capture_output=True, text=True, env=ENVIRONMENT)

    assert (result.returncode, result.stderr) == (0, "")
    *lines, summary = result.stdout.splitlines()
    assert json.loads(summary) == {
        "status": "finished",
        "job": str(job.path.resolve()),
        "model": str(model.resolve()),
        "epoch": 4,
        "epochs": 4,
        "loss": job.read_metrics()[-1]["loss"],
        "device": "cpu",
        "cases": 3,
        "held_out": 0,
    }
    assert re.fullmatch(r"100%  The model is in .*thyroid\.safetensors\.", lines[-1])
    assert TrainedModel.load(model).ids == ("tiny00", "tiny01", "tiny02")
    state = job.read_state()
    assert (state.status, state.epoch, state.fraction) == ("finished", 4, 1.0)
    assert re.search(r"Epoch 1 of 4, loss \S+, \d+ s left", job.log_file.read_text())
    assert job.read_config()["cohort_checksum"] == TrainedModel.load(model).provenance["cohort"]["checksum"]


def test_slicer_gets_progress_tags_and_nothing_on_stderr(cohort: Path, job: JobFolder, run) -> None:
    result = run("--input", cohort, "--job", job.path, "--epochs", 3, "--progress", "tags")

    assert (result.returncode, result.stderr) == (0, "")
    fractions = [float(text) for text in re.findall(r"<filter-progress>(.*?)</filter-progress>", result.stdout)]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    # Slicer removes these tags from the output of the module; nothing may remain.
    rest = result.stdout
    for tag in ("progress", "comment", "name", "time", "start", "end"):
        rest = re.sub(rf"<filter-{tag}>[^<]*</filter-{tag}>\s*", "", rest)
    assert rest == ""


def test_a_killed_and_resumed_training_has_the_loss_curve_of_an_uninterrupted_one(
    cohort: Path, tmp_path: Path, run
) -> None:
    uninterrupted, interrupted = JobFolder(tmp_path / "uninterrupted"), JobFolder(tmp_path / "interrupted")
    epochs = 40
    # Few checkpoints, so that the kill may also lose epochs whose records are written.
    settings = ["--input", cohort, "--epochs", epochs, "--variant", "correlation", "--checkpoint_every", "0.1"]

    with start(*settings, "--job", interrupted.path) as process:
        wait_for_epoch(interrupted, 8)
        wait_for(interrupted.checkpoint_file.exists)
        process.kill()
    killed_after = interrupted.read_metrics()[-1]["epoch"]
    assert interrupted.read_state().status == "interrupted" and killed_after < epochs
    with start(*settings, "--job", interrupted.path) as resumed:
        # At the same time, with as many threads as the processes.
        with computing_on(1):
            whole = run(*settings, "--job", uninterrupted.path)
        resumed.communicate(timeout=60)

    assert (whole.returncode, resumed.returncode) == (0, 0), interrupted.log_file.read_text()
    assert curve(interrupted) == curve(uninterrupted)
    resumed_log = interrupted.log_file.read_text().rpartition("Settings")[2]
    assert 1 < int(re.search(r"Epoch (\d+) of", resumed_log)[1]) <= killed_after + 1
    models = [TrainedModel.load(job.model_file) for job in (interrupted, uninterrupted)]
    assert (models[0].latent_table == models[1].latent_table).all()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_training_with_a_checkpoint_and_exit_code_0(
    cohort: Path, job: JobFolder, number: int
) -> None:
    with start("--input", cohort, "--job", job.path, *LONG, "--json") as process:
        wait_for_epoch(job, 2)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)

    state = job.read_state()
    assert (process.returncode, errors) == (0, "")
    assert json.loads(output.splitlines()[-1])["status"] == state.status == "stopped"
    assert f"after epoch {state.epoch} of 100000" in output
    assert job.checkpoint_file.exists()


def test_a_stopped_training_resumes_from_its_job_folder_alone(cohort: Path, job: JobFolder, run) -> None:
    answers = iter([False, False, True])
    chosen = job_for(job.path, JobOptions(input=cohort, epochs=6, device="cpu"))
    with pytest.raises(Cancelled):
        run_job(chosen, should_stop=lambda: next(answers))
    stopped = job.read_state()

    result = run("--job", job.path)

    assert (stopped.status, stopped.epoch) == ("stopped", 2)
    assert result.returncode == 0
    assert [epoch for epoch, *_ in curve(job)] == [1, 2, 3, 4, 5, 6]


def test_a_second_start_on_a_running_job_is_refused(cohort: Path, job: JobFolder, run) -> None:
    second: list[subprocess.CompletedProcess[str]] = []

    def started_again() -> bool:
        second.append(run("--job", job.path))
        return True

    with pytest.raises(Cancelled):
        run_job(job_for(job.path, JobOptions(input=cohort, device="cpu")), should_stop=started_again)

    assert second[0].returncode == 1
    assert f"is being trained by process {os.getpid()}" in second[0].stderr
    assert "Traceback" not in second[0].stderr


def test_a_background_training_is_watched_and_stopped_by_its_folder(cohort: Path, job: JobFolder) -> None:
    job_for(job.path, JobOptions(input=cohort, epochs=100000, device="cpu"))

    pid = background.start_detached(sys.executable, SCRIPT, job)
    wait_for_epoch(job, 2)
    running = job.read_state()
    background.stop(job, timeout_s=60)

    assert (running.status, running.pid, running.device) == ("running", pid, "cpu")
    assert running.eta_s > 0 and 0 < running.fraction < 1
    assert job.read_state().status == "stopped"
    assert job.checkpoint_file.exists()


def test_segmentations_are_prepared_into_the_job_folder(dataset: Path, job: JobFolder, run) -> None:
    first = run("--input", dataset, "--job", job.path, "--epochs", 2, "--progress", "tags")
    again = run("--input", dataset, "--job", job.path, "--epochs", 2)

    assert (first.returncode, first.stderr, again.returncode) == (0, "", 0)
    cohort = Cohort.open(job.path / "cohort")
    assert cohort.ids == ("s0000", "s0001")
    assert job.read_config()["cohort_checksum"] == cohort.checksum
    assert TrainedModel.load(job.model_file).ids == cohort.ids


def test_cases_are_checked_and_excluded_before_the_training(dataset: Path, job: JobFolder, run) -> None:
    checked = run("--input", dataset, "--job", job.path, "--epochs", 2, "--check_only")
    state = job.read_state()
    assert (checked.returncode, checked.stderr, state.status) == (0, "", "checked")
    assert "2 of 2 cases" in state.message
    assert [verdict.id for verdict in read_quality_table(quality_file(job.read_config()))] == ["s0000", "s0001"]
    assert not (job.path / "cohort" / "cohort.json").exists()

    job_for(job.path, JobOptions(input=dataset, epochs=2, device="cpu", exclude=("s0001",)))
    trained = run("--job", job.path)

    assert (trained.returncode, trained.stderr) == (0, "")
    assert TrainedModel.load(job.model_file).ids == ("s0000",)
    late = run("--job", job.path, "--check_only")
    assert late.returncode == 1 and "has begun" in late.stderr


def test_the_cases_of_a_cohort_cannot_be_checked(cohort: Path, job: JobFolder, run) -> None:
    result = run("--input", cohort, "--job", job.path, "--check_only")

    assert result.returncode == 1 and "were checked when it was prepared" in result.stderr


def test_a_wrong_input_can_be_corrected_in_the_same_job_folder(
    dataset: Path, tmp_path: Path, job: JobFolder, run
) -> None:
    (tmp_path / "empty").mkdir()

    wrong = run("--input", tmp_path / "empty", "--job", job.path, "--epochs", 1)
    right = run("--input", dataset, "--job", job.path, "--epochs", 1)

    assert wrong.returncode == 1
    assert str(tmp_path / "empty") in wrong.stderr and "Traceback" not in wrong.stderr
    assert right.returncode == 0, right.stderr


def test_a_finished_job_only_writes_its_model_when_started_again(
    cohort: Path, job: JobFolder, tmp_path: Path, run
) -> None:
    assert run("--input", cohort, "--job", job.path, "--epochs", 2).returncode == 0
    before = curve(job)
    copy = tmp_path / "copy.safetensors"

    assert run("--input", cohort, "--job", job.path, "--epochs", 2, "--model", copy).returncode == 0

    assert curve(job) == before
    assert (TrainedModel.load(copy).latent_table == TrainedModel.load(job.model_file).latent_table).all()


def test_other_settings_on_the_same_job_are_refused_unless_it_is_restarted(cohort: Path, job: JobFolder, run) -> None:
    assert run("--input", cohort, "--job", job.path, "--epochs", 3).returncode == 0

    other = run("--input", cohort, "--job", job.path, "--epochs", 2)
    restarted = run("--input", cohort, "--job", job.path, "--epochs", 2, "--restart")

    assert other.returncode == 1
    assert "its epochs is 3, not 2" in other.stderr
    assert restarted.returncode == 0
    assert [epoch for epoch, *_ in curve(job)] == [1, 2]


def test_the_job_folder_lies_beside_the_model_by_default(cohort: Path, tmp_path: Path, run) -> None:
    assert run("--input", cohort, "--model", tmp_path / "m.safetensors", "--epochs", 1).returncode == 0

    assert JobFolder.open(tmp_path / "m.job").read_state().status == "finished"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --job"),
        (["--model", "."], "is a folder"),
        (["--job", "new"], "give the input"),
        (["--job", "new", "--epochs", "-1"], "-1 is not between 0 and 1000000"),
        (["--job", "new", "--seed", "many"], "'many' is not a number between"),
        (["--job", "new", "--variant", "best"], "invalid choice"),
        (["--job", "new", "--epoch", "3"], "unrecognized arguments"),
    ],
)
def test_a_wrong_command_line_is_explained_with_exit_code_2(arguments: list[str], message: str, run) -> None:
    result = run(*arguments)

    assert result.returncode == 2
    assert message in result.stderr and "Traceback" not in result.stderr


def test_bad_input_is_explained_with_exit_code_1(job: JobFolder, tmp_path: Path, run) -> None:
    result = run("--input", tmp_path / "nowhere", "--job", job.path)

    assert result.returncode == 1
    assert result.stderr == (
        f"{tmp_path / 'nowhere'} does not exist. Give a cohort folder or a folder of TotalSegmentator cases.\n"
    )
    assert not job.path.exists()


def test_debug_prints_the_traceback(job: JobFolder, tmp_path: Path, run) -> None:
    result = run("--input", tmp_path / "nowhere", "--job", job.path, "--debug")

    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_the_reason_of_a_failure_is_in_state_and_log(
    cohort: Path, job: JobFolder, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    result = run("--input", cohort, "--job", job.path, "--device", "cuda")

    assert result.returncode == 1
    assert "finds no CUDA GPU" in result.stderr
    assert job.read_state().status == "failed"
    assert job.read_state().message == result.stderr.strip()
    assert "finds no CUDA GPU" in job.log_file.read_text()


def test_a_cohort_that_has_changed_since_the_start_is_refused(tmp_path: Path, job: JobFolder, run) -> None:
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=1000)
    assert run("--input", tmp_path / "cohort", "--job", job.path, "--epochs", 1).returncode == 0
    (tmp_path / "cohort").rename(tmp_path / "earlier")
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=1000, seed=1)

    result = run("--job", job.path)

    assert result.returncode == 1
    assert "has changed since this job began" in result.stderr
