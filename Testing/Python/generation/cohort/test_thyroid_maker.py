"""Thyroids that are drawn until steering meets their targets."""

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.generation.cohort import thyroid_maker
from ThyroidSynthLib.generation.cohort.thyroid_maker import MAX_STARTS, ThyroidMaker, generate_to_target
from ThyroidSynthLib.generation.steer.direct_sampling import MAX_ATTEMPTS
from ThyroidSynthLib.geometry.features import smaller_side
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets
from ThyroidSynthLib.model.shipped import model_path
from ThyroidSynthLib.model.trained_model import TrainedModel


def a_maker(model):
    return ThyroidMaker.of(model, seed=0, to_target=True, resolution=32)


def median_volume(model, share=1.0):
    return Targets(volume_ml=share * float(np.median(model.features[:, 0])))


def test_each_thyroid_meets_its_targets(small_model):
    targets = median_volume(small_model)
    fractions = []

    found = list(
        generate_to_target(
            small_model,
            [targets, targets],
            seed=3,
            resolution=32,
            progress=lambda fraction, message: fractions.append(fraction),
        )
    )

    assert [each.index for each in found] == [0, 1]
    for each in found:
        assert each.thyroid.measured.volume_ml == pytest.approx(targets.volume_ml, rel=0.02)
        assert (each.targets, each.met) == (targets, True)
    assert fractions == [0.0, 0.5, 1.0]


def test_a_symmetry_of_0_gives_one_lobe():
    """The first draws of two of these thyroids give two lobes at different heights, with a symmetry of 0 as well."""
    model, targets = TrainedModel.load(model_path("example")), Targets(symmetry=0.0)

    found = list(generate_to_target(model, [targets] * 3, seed=0, resolution=40))

    assert all(each.met for each in found)
    assert max(each.attempts for each in found) > 1
    assert max(smaller_side(each.thyroid.surface) for each in found) <= 0.02
    # With an isthmus there are two lobes.
    both = next(generate_to_target(model, [Targets(symmetry=0.0, isthmus_area_mm2=30.0)], seed=0))
    assert both.attempts <= MAX_STARTS


def test_the_next_draw_is_steered_where_the_first_does_not_meet_the_targets(small_model, monkeypatch):
    steer, starts = thyroid_maker.steer_to_target, []

    def fails_first(shapes, start, targets, **options):
        starts.append(start)
        result = steer(shapes, start, targets, **options)
        return replace(result, misfit=9.0, overlap_misfit=9.0) if len(starts) == 1 else result

    monkeypatch.setattr(thyroid_maker, "steer_to_target", fails_first)
    targets = median_volume(small_model, 1.1)

    made = a_maker(small_model).make(7, targets)

    first, second = starts
    assert not np.array_equal(first.code, second.code)
    assert (made.met, made.index, made.targets) == (True, 7, targets)
    assert made.attempts >= 2


def test_targets_out_of_reach_give_the_nearest_of_a_few_starts(small_model, monkeypatch):
    steer, results = thyroid_maker.steer_to_target, []

    def few_rounds(*arguments, **options):
        results.append(steer(*arguments, **options, max_rounds=3))
        return results[-1]

    monkeypatch.setattr(thyroid_maker, "steer_to_target", few_rounds)

    made = a_maker(small_model).make(0, Targets(volume_ml=300.0))

    assert made.met is False and len(results) == MAX_STARTS
    assert made.thyroid.measured.volume_ml == max(each.thyroid.measured.volume_ml for each in results)


def test_draws_without_targets_are_the_starts_where_none_with_targets_is_valid(small_model, monkeypatch):
    draws = thyroid_maker.draws

    def none_with_targets(model, prior, seed, index, targets, **options):
        return iter(()) if targets else draws(model, prior, seed, index, targets, **options)

    monkeypatch.setattr(thyroid_maker, "draws", none_with_targets)

    made = a_maker(small_model).make(0, median_volume(small_model))

    assert made.met and made.attempts > MAX_ATTEMPTS
    monkeypatch.setattr(thyroid_maker, "draws", lambda *arguments, **options: iter(()))
    with pytest.raises(SynthesisError, match="No draw for thyroid 1"):
        a_maker(small_model).make(0, NO_TARGETS)


def test_a_model_without_conditions_is_steered(small_baseline):
    targets = median_volume(small_baseline)

    made = a_maker(small_baseline).make(0, targets)

    assert made.met and made.thyroid.measured.volume_ml == pytest.approx(targets.volume_ml, rel=0.02)


def test_an_isthmus_is_there_if_and_only_if_it_is_a_target(small_model):
    maker = a_maker(small_model)
    apart = maker.make(1, Targets(isthmus_area_mm2=0.0))
    joined = maker.make(1, Targets(isthmus_area_mm2=60.0))
    assert apart.met and joined.met
    assert apart.thyroid.measured.isthmus_area_mm2 == 0.0
    assert joined.thyroid.measured.isthmus_area_mm2 == pytest.approx(60.0, abs=3.0)
