"""The inputs of the commands: a cohort of surfaces, a model of its cases, and a dataset of segmentations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.kept_models import kept_model
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.dataset.cohort import Cohort


@pytest.fixture(scope="package")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", cases=6)


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(kept_model("tiny"), tmp_path_factory.mktemp("model") / "model.safetensors"))


@pytest.fixture(scope="package")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "dataset"
    example = ("example-cohort", "--cases", "2", "--defective-share", "0", "--no-ct", "--workers", "1", "--quiet")
    assert main([*example, "--out", str(folder)]) == 0
    return folder
