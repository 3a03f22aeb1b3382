"""Cohorts that measure what was asked: from another draw if need be, by any number of processes, always the same."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled, InputError, SynthesisError
from ThyroidSynthLib.common.workers import WorkerFailure, Workers
from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan, make_thyroids
from ThyroidSynthLib.export.cohort.generated_cohort import record_cohort, thyroid_writer
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.generation.cohort import reaching
from ThyroidSynthLib.generation.cohort.met_distribution import MetDistribution
from ThyroidSynthLib.generation.cohort.reaching import MAX_STARTS, ThyroidMaker, check_cohort_targets
from ThyroidSynthLib.generation.steer.steering import MAX_ATTEMPTS


@pytest.fixture
def model_file(small_model, tmp_path):
    small_model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def targets_of(model, count):
    return [{"volume_ml": float(value)} for value in np.quantile(model.features[:, 0], np.linspace(0.2, 0.8, count))]


def made(model, model_file, folder, targets, workers, **more):
    writer = thyroid_writer(folder, options=FileOptions(label_format="nrrd", spacing_mm=3.0))
    plan = CohortPlan.of(model, model_file, seed=2, to_target=True, writer=writer)
    thyroids = make_thyroids(plan, targets, workers=workers)
    return record_cohort(thyroids, folder, model=model, placement=writer.placement, **more)


def test_any_number_of_processes_gives_the_same_folder(small_model, model_file, tmp_path):
    targets = targets_of(small_model, 4)
    for workers in (1, 2):
        found = MetDistribution(small_model.features)
        made(small_model, model_file, tmp_path / str(workers), targets, workers, distribution=found)

    one, two = (sorted(path for path in (tmp_path / n).rglob("*") if path.is_file()) for n in ("1", "2"))
    assert [path.relative_to(tmp_path / "1") for path in one] == [path.relative_to(tmp_path / "2") for path in two]
    assert all(first.read_bytes() == second.read_bytes() for first, second in zip(one, two, strict=True))
    manifest = json.loads((tmp_path / "2" / "manifest.json").read_text())
    assert [entry["index"] for entry in manifest["thyroids"]] == [0, 1, 2, 3]
    assert manifest["distribution"]["features"]["volume_ml"]["ks_to_target"] <= 0.25
    assert len(one) == 4 + 2 + 2


def test_a_stop_leaves_what_is_in_the_manifest_and_no_process(small_model, model_file, tmp_path):
    with pytest.raises(Cancelled):
        made(small_model, model_file, tmp_path / "g", targets_of(small_model, 40), 1, should_stop=lambda: True)
    assert not (tmp_path / "g" / ".making").exists()
    assert len(list((tmp_path / "g" / "label_maps").iterdir())) == 1


def test_a_process_that_dies_over_a_thyroid_names_it(small_model, model_file, tmp_path, monkeypatch):
    monkeypatch.setattr(Workers, "run", lambda self, make, tasks, **more: iter([(next(tasks), WorkerFailure())]))
    with pytest.raises(SynthesisError, match=r"over thyroid 1 .*fewer workers"):
        made(small_model, model_file, tmp_path / "g", targets_of(small_model, 3), 2)
    assert not (tmp_path / "g" / "manifest.json").exists()


def a_maker(model):
    return ThyroidMaker.of(model, seed=0, to_target=True, resolution=32)


def test_a_wish_that_one_draw_does_not_reach_is_tried_from_the_next(small_model, monkeypatch):
    true_steering, starts = reaching.steer_to_target, []

    def fails_first(shapes, start, targets, **more):
        starts.append(start)
        found = true_steering(shapes, start, targets, **more)
        small = replace(found.thyroid, measured=replace(found.thyroid.measured, volume_ml=1.0))
        return replace(found, thyroid=small) if len(starts) == 1 else found

    monkeypatch.setattr(reaching, "steer_to_target", fails_first)
    target = {"volume_ml": float(np.median(small_model.features[:, 0])) * 1.1, "symmetry": None}

    thyroid = a_maker(small_model).make(7, target)

    assert thyroid.met and len(starts) == 2
    assert thyroid.attempts == starts[1].attempts > starts[0].attempts
    assert (thyroid.index, list(thyroid.targets)) == (7, ["volume_ml"])


def test_what_stays_out_of_reach_gives_the_nearest_of_a_few_starts(small_model, monkeypatch):
    true_steering, tries = reaching.steer_to_target, []

    def few_rounds(*given, **more):
        tries.append(true_steering(*given, **more, max_rounds=3).thyroid)
        return replace(true_steering(*given, **more, max_rounds=0), thyroid=tries[-1])

    monkeypatch.setattr(reaching, "steer_to_target", few_rounds)

    thyroid = a_maker(small_model).make(0, {"volume_ml": 300.0})

    assert thyroid.met is False and len(tries) == MAX_STARTS
    assert thyroid.measured.volume_ml == max(each.measured.volume_ml for each in tries)


def test_when_no_draw_told_the_wish_is_a_gland_others_are_the_start(small_model, monkeypatch):
    true_draws = reaching.draws

    def none_when_told(model, prior, seed, index, target, **more):
        return iter(()) if target else true_draws(model, prior, seed, index, target, **more)

    monkeypatch.setattr(reaching, "draws", none_when_told)

    thyroid = a_maker(small_model).make(0, {"volume_ml": float(np.median(small_model.features[:, 0]))})

    assert thyroid.met and thyroid.attempts > MAX_ATTEMPTS
    monkeypatch.setattr(reaching, "draws", lambda *given, **more: iter(()))
    with pytest.raises(SynthesisError, match="No draw for thyroid 1"):
        a_maker(small_model).make(0, {})


def test_a_model_that_hears_no_wishes_is_moved_to_them_all_the_same(small_baseline):
    target = {"volume_ml": float(np.median(small_baseline.features[:, 0]))}
    check_cohort_targets(small_baseline, [target], to_target=True)
    with pytest.raises(InputError, match="knows no features"):
        check_cohort_targets(small_baseline, [target], to_target=False)
    with pytest.raises(InputError, match="impossible"):
        check_cohort_targets(small_baseline, [{"symmetry": 2.0}], to_target=True)

    thyroid = a_maker(small_baseline).make(0, target)

    assert thyroid.met and thyroid.measured.volume_ml == pytest.approx(target["volume_ml"], rel=0.02)


def test_an_isthmus_that_is_there_against_the_wish_is_a_miss(small_model):
    maker = a_maker(small_model)
    apart = maker.make(1, {"isthmus_area_mm2": 0.0})
    joined = maker.make(1, {"isthmus_area_mm2": 60.0})
    assert apart.measured.isthmus_area_mm2 == 0.0 < joined.measured.isthmus_area_mm2
    sliver = replace(apart, measured=replace(apart.measured, isthmus_area_mm2=1.0))
    assert reaching._misfit(sliver) > 1.0
