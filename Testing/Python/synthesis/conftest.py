"""One small trained model for all tests of synthesis, learned once for all workers."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from ThyroidSynthLib.anatomy.cohort import Cohort
from ThyroidSynthLib.learning.model import ShapeModel
from tiny_cohort import write_tiny_cohort
from tiny_model import train_tiny_model


def _in_shared_folder(tmp_path_factory: pytest.TempPathFactory, name: str, make) -> Path:
    """Give a path of this test run's folder; the first worker to ask makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if base.name.startswith("popen-") else base
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            make(folder / name)
    return folder / name


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Twenty-four pairs of ellipsoids, about half of them joined by an isthmus."""

    def make(path: Path) -> None:
        write_tiny_cohort(path, cases=24, samples_per_shape=4000)

    return Cohort.open(_in_shared_folder(tmp_path_factory, "small-cohort", make))


# Enough to reconstruct and steer within a few per cent.
_CHOICES = {"hidden_layers": 3, "latent_size": 8, "learning_rate": 5e-3, "latent_learning_rate": 5e-3}


@pytest.fixture(scope="session")
def small_model(small_cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> ShapeModel:
    """A `fixed` model of the small cohort that reconstructs and steers well."""
    path = _in_shared_folder(
        tmp_path_factory, "small.safetensors", lambda path: train_tiny_model(small_cohort, path, epochs=300, **_CHOICES)
    )
    return ShapeModel.load(path)


@pytest.fixture(scope="session")
def small_baseline(small_cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> ShapeModel:
    """A `baseline` model of the small cohort, roughly trained."""
    path = _in_shared_folder(
        tmp_path_factory,
        "baseline.safetensors",
        lambda path: train_tiny_model(small_cohort, path, variant="baseline", epochs=60),
    )
    return ShapeModel.load(path)
