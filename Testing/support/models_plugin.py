"""Fixtures: small models and the cohort they were trained on."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Twenty-four pairs of ellipsoids, about half of them joined by an isthmus."""
    from support.kept_models import SAMPLES
    from support.tiny_cohort import write_tiny_cohort
    from ThyroidSynthLib.dataset.cohort import Cohort

    base = tmp_path_factory.getbasetemp()
    # The first of this run's workers writes it, the others wait.
    folder = base.parent if base.name.startswith("popen-") else base
    path = folder / "small-cohort"
    with Path(f"{path}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            write_tiny_cohort(path, cases=24, samples_per_shape=SAMPLES[24])
    return Cohort.open(path)


@pytest.fixture(scope="session")
def small_model() -> TrainedModel:
    """A `fixed` model of the small cohort that reconstructs and steers well."""
    from support.kept_models import kept_model
    from ThyroidSynthLib.model.trained_model import TrainedModel

    return TrainedModel.load(kept_model("small"))


@pytest.fixture(scope="session")
def small_necks() -> TrainedModel:
    """The small model with a trachea, which is wider behind large thyroids, and an artery that some cases lack."""
    from support.kept_models import kept_model
    from ThyroidSynthLib.model.trained_model import TrainedModel

    return TrainedModel.load(kept_model("necks"))


@pytest.fixture(scope="session")
def small_siren() -> TrainedModel:
    """A `fixed` model of the small cohort with sine units."""
    from support.kept_models import kept_model
    from ThyroidSynthLib.model.trained_model import TrainedModel

    return TrainedModel.load(kept_model("siren"))


@pytest.fixture(scope="session")
def small_baseline() -> TrainedModel:
    """A `baseline` model of the small cohort, roughly trained."""
    from support.kept_models import kept_model
    from ThyroidSynthLib.model.trained_model import TrainedModel

    return TrainedModel.load(kept_model("baseline"))
