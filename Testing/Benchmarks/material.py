"""What the benchmarks run on: a small example cohort, made anew each time, and the model that ships."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort
from ThyroidSynthLib.dataset.synthetic import write_example_dataset
from ThyroidSynthLib.model.trained_model import TrainedModel

CASES = 40


@dataclass(frozen=True)
class Material:
    """A prepared cohort and how long preparing a case took, and a model trained on other cases."""

    cohort: Cohort
    model: TrainedModel
    seconds_per_case: float


def make_material(folder: Path) -> Material:
    """Write an example dataset of `CASES` valid cases, prepare it, and read the model."""
    dataset, cohort_folder = folder / "dataset", folder / "cohort"
    write_example_dataset(dataset, cases=CASES, seed=1, defective_share=0.0, with_ct=False)
    model = TrainedModel.load("example")
    started = time.perf_counter()
    prepare_material(dataset, cohort_folder, model, workers=1)
    seconds = (time.perf_counter() - started) / CASES
    return Material(Cohort.open(cohort_folder), model, seconds)


def prepare_material(dataset: Path, cohort_folder: Path, model: TrainedModel, *, workers: int) -> None:
    """Prepare the material's cases as the model's were."""
    prepare_cohort(dataset, cohort_folder, PrepareOptions(alignment=model.frame.alignment), workers=workers)
