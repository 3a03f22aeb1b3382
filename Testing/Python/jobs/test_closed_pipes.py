"""Closed pipes, as in `thyroidsynth train … | head`: the work is completed, and lost output is a failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.kept_models import kept_model
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.streams import LastingStream
from ThyroidSynthLib.jobs.background import train_script

COMMAND = [sys.executable, "-m", "ThyroidSynthLib.cli"]
SCRIPT = [sys.executable, str(train_script())]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(kept_model("tiny"), tmp_path_factory.mktemp("model") / "model.safetensors"))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", cases=3, samples_per_shape=1500).folder


def closed_pipe() -> int:
    """Return the writing end of a pipe whose reading end is closed."""
    read, write = os.pipe()
    os.close(read)
    return write


def run(command: list[str], *arguments: object, **streams: int) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([*command, *map(str, arguments)], text=True, env=ENVIRONMENT, timeout=120, **streams)
    finally:
        for stream in set(streams.values()):
            if stream >= 0:
                os.close(stream)


def test_generation_is_completed_and_fails_for_its_lost_result(model: Path, tmp_path: Path) -> None:
    """As in ``thyroidsynth generate … 2>&1 | head -c 1``."""
    pipe = closed_pipe()

    ended = run(COMMAND, "generate", model, "--count", 3, "--out", tmp_path / "g", stdout=pipe, stderr=pipe)

    assert ended.returncode == 1
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert (manifest["complete"], manifest["count"]) == (True, 3)


def test_lost_progress_is_no_failure(model: Path, tmp_path: Path) -> None:
    ended = run(
        COMMAND,
        *("generate", model, "--count", 3, "--json", "--out", tmp_path / "g"),
        stdout=subprocess.PIPE,
        stderr=closed_pipe(),
    )

    assert ended.returncode == 0 and json.loads(ended.stdout)["thyroids"] == 3


def test_a_training_is_completed(cohort: Path, tmp_path: Path) -> None:
    pipe, out = closed_pipe(), tmp_path / "model.safetensors"

    ended = run(COMMAND, "train", cohort, "--epochs", 8, "--device", "cpu", "--out", out, stdout=pipe, stderr=pipe)

    assert ended.returncode == 1 and out.is_file()
    state = json.loads((tmp_path / "model.job" / "state.json").read_text())
    assert (state["status"], state["epoch"]) == ("finished", 8)


@pytest.mark.parametrize(("more", "code"), [(("--progress", "tags"), 0), (("--json",), 1)])
def test_the_training_script_is_completed_when_slicer_has_ended(cohort: Path, tmp_path: Path, more, code) -> None:
    pipe = closed_pipe()
    training = ("--input", cohort, "--job", tmp_path / "job", "--epochs", 2, "--device", "cpu")

    ended = run(SCRIPT, *training, *more, stdout=pipe, stderr=pipe)

    assert ended.returncode == code
    assert json.loads((tmp_path / "job" / "state.json").read_text())["status"] == "finished"
    assert (tmp_path / "job" / "model.safetensors").is_file()


def test_a_lost_error_message_keeps_the_exit_code(model: Path, tmp_path: Path) -> None:
    pipe = closed_pipe()
    assert run(COMMAND, "info", tmp_path / "missing", stdout=pipe, stderr=pipe).returncode == 1
    # Python itself would end a process with unwritten text with 120.
    pipe = closed_pipe()
    assert run(COMMAND, "generate", model, stdout=pipe, stderr=pipe).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_a_failure(model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert subprocess.run([*COMMAND, "info", str(model)], stdout=full).returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_work_is_completed_without_standard_streams(model: Path, tmp_path: Path) -> None:
    words = [*COMMAND, "generate", str(model), "--count", "2", "--out", str(tmp_path / "g")]

    assert subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "sh", *words]).returncode == 1

    assert json.loads((tmp_path / "g" / "manifest.json").read_text())["complete"] is True


def test_only_a_written_stream_can_lose_text() -> None:
    missing = LastingStream(None)
    assert not missing.lost
    missing.write("text")
    assert missing.lost
