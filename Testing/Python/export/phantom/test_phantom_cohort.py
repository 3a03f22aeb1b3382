"""A cohort of phantoms is the same for any number of worker processes, and says what each phantom is."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.staging import STAGING_FOLDER
from ThyroidSynthLib.export.cohort.cohort_making import make_thyroids
from ThyroidSynthLib.export.cohort.generated_cohort import record_cohort
from ThyroidSynthLib.export.neck import GridChoice, example_neck
from ThyroidSynthLib.export.nodules import NoduleDistribution
from ThyroidSynthLib.export.phantom.phantom_cohort import COLUMNS, PHANTOM_COHORT, PhantomWriter, phantom_plan
from ThyroidSynthLib.export.phantom.phantom_measure import PhantomMeasure
from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.shipped import model_path
from ThyroidSynthLib.model.trained_model import TrainedModel

TARGETS = [Targets(volume_ml=12.0), Targets(volume_ml=24.0, isthmus_area_mm2=0.0)]


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return TrainedModel.load("example")


@pytest.fixture(scope="module")
def neck(model):
    return example_neck(model, GridChoice(spacing_mm=3.0, margin_mm=10.0), seed=4)


def _cohort(model, neck, folder: Path, *, workers: int) -> dict[str, str]:
    options = PhantomOptions(nodules=NoduleDistribution.parse("count=3,diameter=9-16"))
    writer = PhantomWriter(folder / STAGING_FOLDER, neck, options)
    plan = phantom_plan(model, Path(model_path("example")), writer, seed=2)
    made = make_thyroids(plan, TARGETS, workers=workers)
    record_cohort(made, folder, kind=PHANTOM_COHORT, model=model, placement=neck.placement)
    manifest = json.loads((folder / "manifest.json").read_text())
    return {file["path"]: file["sha256"] for entry in manifest["phantoms"] for file in entry["files"]}


def test_a_cohort_does_not_depend_on_the_number_of_workers(model, neck, tmp_path):
    one = _cohort(model, neck, tmp_path / "one", workers=1)

    assert _cohort(model, neck, tmp_path / "two", workers=2) == one
    assert {Path(name).parts[0] for name in one} == {"phantom_0001", "phantom_0002"}
    with (tmp_path / "one" / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["written_volume_ml"]) for row in rows] == pytest.approx([12, 24], rel=0.015)
    assert [int(row["nodules"]) + int(row["nodules_left_out"]) for row in rows] == [3, 3]
    assert [row["met"] for row in rows] == ["True", "True"]


def test_a_writer_can_be_sent_to_a_worker_and_writes_nothing_into_a_folder_that_is_gone(model, neck, tmp_path):
    writer = pickle.loads(pickle.dumps(PhantomWriter(tmp_path / "gone", neck, PhantomOptions())))
    drawn = next(generate(model, count=1, seed=0))

    with pytest.raises(OutputError, match="does not exist"):
        writer.write(drawn, 1)


def test_thyroids_are_measured_as_the_phantom_will_have_them(model, neck, tmp_path):
    (tmp_path / "p").mkdir()
    drawn = next(generate(model, count=1, seed=3))

    measured = PhantomMeasure(neck, "yield")(drawn.thyroid)
    written = PhantomWriter(tmp_path / "p", neck, PhantomOptions()).write(drawn, 1).entry["written"]

    assert measured.thyroid.measured.volume_ml == pytest.approx(written["volume_ml"], rel=1e-9)
    assert np.isclose(measured.thyroid.measured.isthmus_area_mm2, written["isthmus_area_mm2"])


def test_what_soft_neighbours_keep_is_missing_from_the_thyroid(model, neck):
    drawn = next(generate(model, count=1, seed=3))
    soft = neck.soft.array.copy()
    soft[:, :, soft.shape[2] // 2 :] = 1
    neck.__dict__["soft"] = type(neck.soft)(soft, neck.grid.ijk_to_ras)
    try:
        kept = PhantomMeasure(neck, "keep")(drawn.thyroid)
        whole = PhantomMeasure(neck, "yield")(drawn.thyroid)
    finally:
        del neck.__dict__["soft"]

    assert kept.reduced
    assert kept.thyroid.measured.volume_ml < 0.8 * whole.thyroid.measured.volume_ml
