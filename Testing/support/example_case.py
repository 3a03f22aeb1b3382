"""An example case and a small model of example thyroids, made once for all tests of a run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CASES = 14
SMALL = {"epochs": 300, "samples_per_shape": 600, "hidden_width": 64, "latent_size": 8, "mirrored_size": 3}


def shared_folder(tmp_path_factory) -> Path:
    """Return a folder that all workers of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def example_dataset(tmp_path_factory) -> Path:
    """Return a dataset of one valid example case with its CT."""
    from ThyroidSynthLib.dataset.synthetic import write_example_dataset

    def make(folder: Path) -> None:
        write_example_dataset(folder, cases=1, seed=7, defective_share=0.0, workers=1)

    return _made_once(shared_folder(tmp_path_factory) / "example dataset", make)


def example_model(tmp_path_factory) -> Path:
    """Return the file of a rough model, trained for seconds on a dozen example thyroids."""
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort
    from ThyroidSynthLib.dataset.synthetic import write_example_dataset
    from ThyroidSynthLib.model.presets import settings_for
    from ThyroidSynthLib.training.loop import train

    def make(folder: Path) -> None:
        dataset = folder / "dataset"
        write_example_dataset(dataset, cases=CASES, seed=11, defective_share=0.0, with_ct=False, workers=1)
        prepare_cohort(dataset, folder / "cohort", PrepareOptions(alignment="upright"), workers=1)
        settings = settings_for("fast", "fixed", **SMALL)
        model = train(Cohort.open(folder / "cohort"), settings)
        model.save(folder / "model.safetensors")

    return _made_once(shared_folder(tmp_path_factory) / "example model", make) / "model.safetensors"


def _made_once(folder: Path, make) -> Path:
    """Make a folder beside its place and move it there; whoever is first wins."""
    if not folder.exists():
        mine = folder.with_name(f"{folder.name} {os.getpid()}")
        make(mine)
        try:
            mine.rename(folder)
        except OSError:
            shutil.rmtree(mine)
    return folder
