"""What the benchmarks run on: a small example cohort and a model trained on it, made anew each time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.anatomy.cohort import Cohort
from ThyroidSynthLib.anatomy.example import write_example_dataset
from ThyroidSynthLib.anatomy.prepare import PrepareOptions, prepare_cohort
from ThyroidSynthLib.learning.model import ShapeModel
from ThyroidSynthLib.learning.presets import settings_for
from ThyroidSynthLib.learning.training import train

CASES = 16
EPOCHS = 200


@dataclass(frozen=True)
class Material:
    """A prepared cohort, a model of it, and how long preparing took."""

    cohort: Cohort
    model: ShapeModel
    seconds_per_case: float


def make_material(folder: Path) -> Material:
    """Write an example dataset of `CASES` sound cases, prepare it and train for `EPOCHS` epochs."""
    dataset, cohort_folder = folder / "dataset", folder / "cohort"
    write_example_dataset(dataset, cases=CASES, seed=1, defective_share=0.0, with_ct=False)
    started = time.perf_counter()
    prepare_cohort(dataset, cohort_folder, PrepareOptions(), workers=1)
    seconds = (time.perf_counter() - started) / CASES
    cohort = Cohort.open(cohort_folder)
    return Material(cohort, train(cohort, settings_for("fast", "fixed", epochs=EPOCHS), device="cpu"), seconds)
