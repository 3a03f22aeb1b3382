"""Cohorts made by several worker processes: the same as by one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled, SynthesisError
from ThyroidSynthLib.common.workers import WorkerFailure, Workers
from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan, make_thyroids
from ThyroidSynthLib.export.cohort.generated_cohort import record_cohort, thyroid_writer
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution
from ThyroidSynthLib.geometry.targets import Targets


@pytest.fixture
def model_file(small_model, tmp_path):
    small_model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def targets_of(model, count):
    return [
        Targets(volume_ml=float(value)) for value in np.quantile(model.features[:, 0], np.linspace(0.2, 0.8, count))
    ]


def made(model, model_file, folder, targets, workers, **more):
    writer = thyroid_writer(folder, options=FileOptions(label_format="nrrd", spacing_mm=3.0))
    plan = CohortPlan.of(model, model_file, seed=2, to_target=True, writer=writer)
    thyroids = make_thyroids(plan, targets, workers=workers)
    return record_cohort(thyroids, folder, model=model, placement=writer.placement, **more)


def test_the_folder_does_not_depend_on_the_number_of_workers(small_model, model_file, tmp_path):
    targets = targets_of(small_model, 4)
    for workers in (1, 2):
        found = AchievedDistribution(small_model.features)
        made(small_model, model_file, tmp_path / str(workers), targets, workers, distribution=found)

    one, two = (sorted(path for path in (tmp_path / n).rglob("*") if path.is_file()) for n in ("1", "2"))
    assert [path.relative_to(tmp_path / "1") for path in one] == [path.relative_to(tmp_path / "2") for path in two]
    assert all(first.read_bytes() == second.read_bytes() for first, second in zip(one, two, strict=True))
    manifest = json.loads((tmp_path / "2" / "manifest.json").read_text())
    assert [entry["index"] for entry in manifest["thyroids"]] == [0, 1, 2, 3]
    assert manifest["distribution"]["features"]["volume_ml"]["ks_to_target"] <= 0.25
    assert len(one) == 4 + 2 + 2


def test_cancelling_keeps_the_thyroids_in_the_manifest(small_model, model_file, tmp_path):
    with pytest.raises(Cancelled):
        made(small_model, model_file, tmp_path / "g", targets_of(small_model, 40), 1, should_stop=lambda: True)
    assert not list((tmp_path / "g").glob(".*"))
    assert len(list((tmp_path / "g" / "label_maps").iterdir())) == 1


def test_a_worker_that_ends_is_reported_with_its_thyroid(small_model, model_file, tmp_path, monkeypatch):
    monkeypatch.setattr(Workers, "run", lambda self, make, tasks, **more: iter([(next(tasks), WorkerFailure())]))
    with pytest.raises(SynthesisError, match=r"worker process of thyroid 1 ended.*fewer workers"):
        made(small_model, model_file, tmp_path / "g", targets_of(small_model, 3), 2)
    assert not (tmp_path / "g" / "manifest.json").exists()
