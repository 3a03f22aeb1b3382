"""Direct sampling: reproducible, valid thyroids near their targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled, InputError, SynthesisError
from ThyroidSynthLib.generation.steer import direct_sampling
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets
from ThyroidSynthLib.model.trained_model import TrainedModel


def generated(model: TrainedModel, **options) -> list[GeneratedThyroid]:
    return list(generate(model, **({"seed": 3, "resolution": 32} | options)))


def test_a_thyroid_depends_on_its_seed_and_index_only(small_model: TrainedModel) -> None:
    all_ = generated(small_model, count=4)
    later = generated(small_model, count=2, first=2)
    other = generated(small_model, count=1, seed=4)

    assert [each.index for each in later] == [2, 3]
    for one, again in zip(all_[2:], later, strict=True):
        np.testing.assert_array_equal(one.thyroid.code, again.thyroid.code)
        np.testing.assert_array_equal(one.thyroid.surface.vertices, again.thyroid.surface.vertices)
        assert one.targets == again.targets
    assert not np.array_equal(all_[0].thyroid.code, all_[1].thyroid.code)
    assert not np.array_equal(all_[0].thyroid.code, other[0].thyroid.code)


def test_random_thyroids_are_valid_and_keep_their_condition_as_targets(small_model: TrainedModel) -> None:
    for each in generated(small_model, count=6):
        assert each.thyroid.validity.ok
        assert each.thyroid.measured.volume_ml == pytest.approx(each.targets.volume_ml, rel=0.25)
        fixed = small_model.conditioning.encode(each.targets.as_array())[0]
        np.testing.assert_allclose(each.thyroid.code[: len(fixed)], fixed, rtol=1e-5, atol=1e-6)


def test_targets_become_the_condition(small_model: TrainedModel) -> None:
    small, large = (generated(small_model, count=3, targets=Targets(volume_ml=volume)) for volume in (7.0, 14.0))
    each = generated(small_model, count=2, targets=[Targets(symmetry=0.6), Targets(isthmus_area_mm2=0.0)])

    assert {one.targets.volume_ml for one in small} == {7.0}
    assert max(one.thyroid.measured.volume_ml for one in small) < min(one.thyroid.measured.volume_ml for one in large)
    assert (each[0].targets.symmetry, each[1].targets.isthmus_area_mm2) == (0.6, 0.0)


def test_a_model_without_conditions_rejects_targets(small_baseline: TrainedModel) -> None:
    assert generated(small_baseline, count=1)[0].targets == NO_TARGETS
    with pytest.raises(InputError, match="'baseline', which has no conditions"):
        generated(small_baseline, count=1, targets=Targets(volume_ml=10.0))


def test_the_number_of_targets_and_the_seed_are_checked(small_model: TrainedModel) -> None:
    with pytest.raises(InputError, match="are given for 1 thyroid, but 3 are to be generated"):
        generated(small_model, count=3, targets=[NO_TARGETS])
    with pytest.raises(InputError, match="-1 thyroids cannot be generated"):
        generated(small_model, count=-1)
    with pytest.raises(InputError, match="seed is -1"):
        generated(small_model, count=1, seed=-1)
    assert generated(small_model, count=0) == []


def test_draws_without_a_valid_surface_are_replaced_and_counted(
    small_model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = direct_sampling.thyroid_of_code
    codes = []

    def unreliable(model, code, **options):
        codes.append(code)
        if len(codes) == 1:
            raise SynthesisError("no surface")
        thyroid = original(model, code, **options)
        return replace(thyroid, validity=replace(thyroid.validity, components=5)) if len(codes) == 2 else thyroid

    monkeypatch.setattr(direct_sampling, "thyroid_of_code", unreliable)

    third = generated(small_model, count=1)[0]

    assert third.attempts == 3
    np.testing.assert_allclose(third.thyroid.code, codes[2], rtol=1e-6)
    assert not np.array_equal(codes[0], codes[1])


def test_the_error_after_too_many_draws_names_the_targets(
    small_model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never_valid(model, code, **options):
        raise SynthesisError("no surface")

    monkeypatch.setattr(direct_sampling, "thyroid_of_code", never_valid)

    with pytest.raises(SynthesisError, match=r"None of 25 draws.*for 500\.0 mL\. Choose targets nearer"):
        generated(small_model, count=1, targets=Targets(volume_ml=500.0))
    with pytest.raises(SynthesisError, match="Train the model for longer"):
        generated(small_model, count=1)


def test_generation_reports_progress_and_can_be_cancelled_between_thyroids(small_model: TrainedModel) -> None:
    fractions: list[float] = []
    found = []

    with pytest.raises(Cancelled):
        for each in generate(
            small_model,
            count=4,
            seed=0,
            resolution=24,
            progress=lambda fraction, message: fractions.append(fraction),
            should_stop=lambda: len(found) == 2,
        ):
            found.append(each)

    assert len(found) == 2
    assert fractions == [0.0, 0.25]
