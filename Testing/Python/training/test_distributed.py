"""Several processes have the loss curve of one, write one model, and start and end together.

The processes are real ones over Gloo, most of them started by torchrun.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import ModelError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.jobs.background import train_script
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.distributed import ALONE, ProcessGroup, process_group_of_environment
from ThyroidSynthLib.training.loop import train

EPOCHS = 6
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Nine cases: steps of 8 and of 1 shape, so that one process has no shape in the second."""
    return write_tiny_cohort(tmp_path_factory.mktemp("process_group") / "cohort", cases=9, samples_per_shape=1200)


def script(cohort: Cohort, job: Path, epochs: int) -> list[str]:
    arguments = ["--input", cohort.folder, "--job", job, "--preset", "fast", "--variant", "correlation"]
    arguments += ["--epochs", epochs, "--device", "cpu", "--checkpoint_every", 0, "--json"]
    return [str(train_script()), *map(str, arguments)]


def test_two_processes_have_the_loss_curve_of_one_and_write_one_model(cohort: Cohort, tmp_path: Path) -> None:
    job = JobFolder(tmp_path / "job")

    result = subprocess.run(
        [*TORCHRUN, *script(cohort, job.path, EPOCHS)], capture_output=True, text=True, env=ENVIRONMENT
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.count('"status": "finished"') == 1
    assert json.loads(result.stdout.splitlines()[-1])["epoch"] == EPOCHS
    assert job.read_state().status == "finished"
    assert "With 2 processes" in job.log_file.read_text(encoding="utf-8")
    assert len(list(job.path.glob("*.safetensors"))) == 2  # The model and the checkpoint.
    alone: list[dict[str, float]] = []
    settings = settings_for("fast", "correlation", epochs=EPOCHS)
    expected = train(cohort, settings, device="cpu", on_epoch=lambda report: alone.append(report.losses))
    together = [record["losses"] for record in job.read_metrics()]
    assert len(together) == EPOCHS
    for name in ("sdf", "latent", "correlation"):
        curves = [[losses[name] for losses in curve] for curve in (together, alone)]
        np.testing.assert_allclose(*curves, rtol=2e-3, err_msg=name)
        assert curves[0][0] != curves[0][-1]
    found = TrainedModel.load(job.model_file)
    np.testing.assert_allclose(found.latent_table, expected.latent_table, atol=2e-3)
    # Differences by rounding are small compared with what was learned.
    assert np.abs(found.latent_table - expected.latent_table).mean() < 0.01 * np.abs(expected.latent_table).mean()


def test_a_stop_reaches_all_processes_and_the_training_resumes_with_another_number_of_them(
    cohort: Cohort, tmp_path: Path
) -> None:
    job = JobFolder(tmp_path / "job")
    with subprocess.Popen([*TORCHRUN, *script(cohort, job.path, 4000)], env=ENVIRONMENT, stdout=subprocess.PIPE) as run:
        deadline = time.monotonic() + 60
        while not job.exists() or not job.read_metrics(since=1):
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=40)

    state = job.read_state()
    assert state.status == "stopped"
    assert state.epoch == len(job.read_metrics()) >= 2
    stop = iter([False, True])
    reports = []
    with pytest.raises(Exception, match="stopped after epoch"):
        train(
            cohort,
            settings_for("fast", "correlation", epochs=4000),
            device="cpu",
            checkpoint_path=job.checkpoint_file,
            on_epoch=reports.append,
            should_stop=lambda: next(stop),
        )
    assert [report.epoch for report in reports] == [state.epoch + 1, state.epoch + 2]


def test_an_error_is_reported_once_and_leaves_no_process_waiting(tmp_path: Path) -> None:
    arguments = ["--input", str(tmp_path / "nothing"), "--job", str(tmp_path / "job")]
    with socket.create_server(("127.0.0.1", 0)) as server:
        rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.getsockname()[1]), "WORLD_SIZE": "2"}
    # As a launcher other than torchrun may start them.
    processes = [
        subprocess.Popen(
            [sys.executable, str(train_script()), *arguments],
            env={**ENVIRONMENT, **rendezvous, "RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]

    assert [process.returncode for process in processes] == [1, 0]
    assert ["does not exist" in text for text in errors] == [True, False]


def test_parts_cover_everything_once_and_are_nearly_equal() -> None:
    for size in (1, 2, 3, 5):
        for count in (1, 7, 8):
            parts = [ProcessGroup(rank, size).part_of(count) for rank in range(size)]
            assert [number for part in parts for number in range(count)[part]] == list(range(count))
            lengths = [part.stop - part.start for part in parts]
            assert max(lengths) - min(lengths) <= 1


def test_without_torchrun_there_is_one_process() -> None:
    rendezvous = {"MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for environment in ({}, {"WORLD_SIZE": "4"}, {"RANK": "0", "WORLD_SIZE": "1", **rendezvous}):
        with process_group_of_environment(environment) as process_group:
            assert process_group is ALONE and not process_group.follows


def test_more_processes_than_a_step_has_shapes_are_refused(cohort: Cohort) -> None:
    with pytest.raises(ModelError, match=r"has 1 shapes for 2 processes\. Start at most 1"):
        train(cohort, settings_for("paper", "fixed", epochs=1), device="cpu", process_group=ProcessGroup(0, 2))


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)

    assert ProcessGroup(3, 4, local_rank=1).own_gpu(torch.device("cuda")) == torch.device("cuda", 1)
    assert taken == [1]
    assert ProcessGroup(3, 4, local_rank=2).own_gpu(torch.device("cpu")).type == "cpu"
    assert ALONE.own_gpu(torch.device("cuda", 1)) == torch.device("cuda", 1)
    with pytest.raises(ModelError, match="has 2 GPUs for more processes"):
        ProcessGroup(2, 3, local_rank=2).own_gpu(torch.device("cuda"))
    with pytest.raises(ModelError, match="Choose the device 'cuda'"):
        ProcessGroup(1, 2, local_rank=1).own_gpu(torch.device("cuda", 1))
