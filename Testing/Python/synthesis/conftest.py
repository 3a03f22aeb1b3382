"""The small models and their cohort that all tests of synthesis use."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from kept_models import SAMPLES, kept_model
from ThyroidSynthLib.anatomy.cohort import Cohort
from ThyroidSynthLib.learning.model import ShapeModel
from tiny_cohort import write_tiny_cohort


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Twenty-four pairs of ellipsoids, about half of them joined by an isthmus."""
    base = tmp_path_factory.getbasetemp()
    # The first of this run's workers makes it, the others wait.
    folder = base.parent if base.name.startswith("popen-") else base
    path = folder / "small-cohort"
    with Path(f"{path}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            write_tiny_cohort(path, cases=24, samples_per_shape=SAMPLES[24])
    return Cohort.open(path)


@pytest.fixture(scope="session")
def small_model() -> ShapeModel:
    """A `fixed` model of the small cohort that reconstructs and steers well."""
    return ShapeModel.load(kept_model("small"))


@pytest.fixture(scope="session")
def small_baseline() -> ShapeModel:
    """A `baseline` model of the small cohort, roughly trained."""
    return ShapeModel.load(kept_model("baseline"))
