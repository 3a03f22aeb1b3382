"""Random and one-shot steered thyroids: repeatable, valid, near what was asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled, InputError, SynthesisError
from ThyroidSynthLib.generation.steer import steering
from ThyroidSynthLib.generation.steer.steering import generate
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.model.shape_model import ShapeModel


def made(model: ShapeModel, **options) -> list[Thyroid]:
    return list(generate(model, **({"seed": 3, "resolution": 32} | options)))


def test_thyroid_number_i_of_a_seed_is_the_same_however_many_are_made(small_model: ShapeModel) -> None:
    all_ = made(small_model, count=4)
    later = made(small_model, count=2, first=2)
    other = made(small_model, count=1, seed=4)

    assert [thyroid.index for thyroid in later] == [2, 3]
    for one, again in zip(all_[2:], later, strict=True):
        np.testing.assert_array_equal(one.code, again.code)
        np.testing.assert_array_equal(one.surface.vertices, again.surface.vertices)
        assert one.targets == again.targets
    assert not np.array_equal(all_[0].code, all_[1].code)
    assert not np.array_equal(all_[0].code, other[0].code)


def test_random_thyroids_are_valid_and_say_what_the_network_was_told(small_model: ShapeModel) -> None:
    for thyroid in made(small_model, count=6):
        assert thyroid.validity.ok
        assert set(thyroid.targets) == {"volume_ml", "isthmus_area_mm2", "symmetry"}
        assert thyroid.measured.volume_ml == pytest.approx(thyroid.targets["volume_ml"], rel=0.25)
        fixed = small_model.conditioning.encode(np.array(list(thyroid.targets.values())))[0]
        np.testing.assert_allclose(thyroid.code[: len(fixed)], fixed, rtol=1e-5, atol=1e-6)


def test_what_was_asked_is_what_the_network_is_told(small_model: ShapeModel) -> None:
    small, large = (
        made(small_model, count=3, targets={"volume_ml": volume, "symmetry": None}) for volume in (7.0, 14.0)
    )
    each = made(small_model, count=2, targets=[{"symmetry": 0.6}, {"isthmus_area_mm2": 0.0}])

    assert {thyroid.targets["volume_ml"] for thyroid in small} == {7.0}
    assert max(t.measured.volume_ml for t in small) < min(t.measured.volume_ml for t in large)
    assert (each[0].targets["symmetry"], each[1].targets["isthmus_area_mm2"]) == (0.6, 0.0)


def test_a_baseline_model_makes_thyroids_and_hears_no_wishes(small_baseline: ShapeModel) -> None:
    thyroid = made(small_baseline, count=1)[0]

    assert thyroid.targets == {}
    with pytest.raises(InputError, match=r"'baseline'.*volume_ml cannot be asked for"):
        made(small_baseline, count=1, targets={"volume_ml": 10.0})
    assert len(made(small_baseline, count=1, targets={"volume_ml": None})) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("volume_ml", 0.0),
        ("volume_ml", -3.0),
        ("volume_ml", float("inf")),
        ("volume_ml", float("nan")),
        ("isthmus_area_mm2", -0.1),
        ("isthmus_area_mm2", float("inf")),
        ("symmetry", 1.01),
        ("symmetry", -0.01),
        ("symmetry", float("nan")),
        ("weight_g", 20.0),
    ],
)
def test_impossible_wishes_are_refused_by_name(small_model: ShapeModel, name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        made(small_model, count=1, targets={name: value})
    with pytest.raises(InputError, match=name):
        made(small_model, count=2, targets=[{}, {name: value}])


def test_a_wish_for_each_must_be_one_for_each_and_seeds_start_at_0(small_model: ShapeModel) -> None:
    with pytest.raises(InputError, match="3 thyroids were asked for with wishes for 1"):
        made(small_model, count=3, targets=[{}])
    with pytest.raises(InputError, match="seed is -1"):
        made(small_model, count=1, seed=-1)
    assert made(small_model, count=0) == []


def test_draws_without_a_valid_surface_are_replaced_and_counted(
    small_model: ShapeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_decoder = steering.thyroid_of_code
    calls = []

    def unreliable(model, code, **about):
        calls.append(code)
        if len(calls) == 1:
            raise SynthesisError("no surface")
        thyroid = true_decoder(model, code, **about)
        return replace(thyroid, validity=replace(thyroid.validity, components=5)) if len(calls) == 2 else thyroid

    monkeypatch.setattr(steering, "thyroid_of_code", unreliable)

    thyroid = made(small_model, count=1)[0]

    assert thyroid.attempts == 3
    np.testing.assert_allclose(thyroid.code, calls[2], rtol=1e-6)
    assert not np.array_equal(calls[0], calls[1])


def test_a_wish_nothing_comes_of_is_a_synthesis_error_that_repeats_it(
    small_model: ShapeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never_valid(model, code, **about):
        raise SynthesisError("no surface")

    monkeypatch.setattr(steering, "thyroid_of_code", never_valid)

    with pytest.raises(SynthesisError, match=r"None of 25 draws.*volume_ml 500"):
        made(small_model, count=1, targets={"volume_ml": 500.0})
    with pytest.raises(SynthesisError, match="Train the model for longer"):
        made(small_model, count=1)


def test_progress_is_told_and_a_stop_is_heard_between_thyroids(small_model: ShapeModel) -> None:
    fractions: list[float] = []
    thyroids = []

    with pytest.raises(Cancelled):
        for thyroid in generate(
            small_model,
            count=4,
            seed=0,
            resolution=24,
            progress=lambda fraction, message: fractions.append(fraction),
            should_stop=lambda: len(thyroids) == 2,
        ):
            thyroids.append(thyroid)

    assert len(thyroids) == 2
    assert fractions == [0.0, 0.25]
