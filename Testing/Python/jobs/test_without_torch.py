"""The training script in a Slicer without PyTorch: cases are checked, and a training says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.example_case import example_dataset
from ThyroidSynthLib.jobs import background
from ThyroidSynthLib.jobs.job import JobFolder

# Read by Python when it starts, in the worker processes as well.
_BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "skimage", "safetensors", "trimesh", "tqdm", "matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return example_dataset(tmp_path_factory)


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "job")


@pytest.fixture
def run(tmp_path: Path, dataset: Path, job: JobFolder):
    def run_script(*options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "sitecustomize.py").write_text(_BLOCK, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, str(background.train_script()), "--input", str(dataset), "--job", str(job.path)]
        return subprocess.run(
            [*command, *options], capture_output=True, text=True, env=environment, check=False, timeout=120
        )

    return run_script


def test_cases_are_checked_without_pytorch(run, job):
    result = run("--check_only")
    assert (result.returncode, result.stderr) == (0, "")
    assert job.read_state().status == "checked"


def test_a_training_without_pytorch_names_what_is_missing(run, job):
    result = run("--epochs", "1")
    assert result.returncode == 1
    assert "Training needs torch, which is not installed" in result.stderr
    assert "fault of ThyroidSynth" not in result.stderr
    assert job.read_state().status == "failed"
