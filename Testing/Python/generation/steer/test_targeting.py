"""Steering to target ends on what was asked, or says how far it came."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled, InputError
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.steering import generate
from ThyroidSynthLib.generation.steer.targeting import is_met, steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid, reconstruct
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.shape_model import ShapeModel

EXAMPLE = Path(__file__).resolve().parents[4] / "ThyroidSynth" / "Resources" / "Models" / "example.safetensors"


@pytest.fixture(scope="module")
def starts(small_model: ShapeModel) -> list[Thyroid]:
    return list(generate(small_model, count=6, seed=1, resolution=40))


def test_what_was_asked_is_measured_on_the_final_surface(small_model: ShapeModel, starts: list[Thyroid]) -> None:
    results = [steer_to_target(small_model, start, start.targets, resolution=40) for start in starts]

    assert sum(result.met for result in results) >= 5
    for start, result in zip(starts, results, strict=True):
        thyroid = result.thyroid
        assert thyroid.validity.ok
        assert thyroid.targets == start.targets
        assert (thyroid.seed, thyroid.index, thyroid.attempts) == (start.seed, start.index, start.attempts)
        for name, error in result.error.items():
            measured = getattr(thyroid.measured, name)
            assert error == pytest.approx(measured - start.targets[name])
            assert not result.met or is_met(name, measured, start.targets[name])
        assert result.met == all(
            is_met(name, getattr(thyroid.measured, name), target) for name, target in start.targets.items()
        )
        assert result.distance < 3.0
        assert result.moved < 1.0


def test_one_feature_alone_moves_the_code_less_than_a_new_draw_would(
    small_model: ShapeModel, starts: list[Thyroid]
) -> None:
    start = starts[0]
    wanted = 1.15 * start.measured.volume_ml

    result = steer_to_target(small_model, start, {"volume_ml": wanted}, resolution=40)

    assert result.met
    assert list(result.error) == ["volume_ml"]
    assert 0 < result.moved < 1.0
    assert result.thyroid.measured.symmetry == pytest.approx(start.measured.symmetry, abs=0.15)


def test_an_isthmus_comes_to_be_also_where_derivatives_lead_to_none() -> None:
    example_model = ShapeModel.load(EXAMPLE)
    # Of the 25 first glands of the model that ships 7 stayed as they were.
    for case in (6, 61):
        apart = reconstruct(example_model, case)
        assert apart.measured.isthmus_area_mm2 == 0.0

        steered = steer_to_target(example_model, apart, {"isthmus_area_mm2": 80.0})

        assert steered.met
        assert steered.moved < 0.5


def test_an_isthmus_can_be_made_and_taken_away(small_model: ShapeModel) -> None:
    order = np.argsort(small_model.features[:, 1])
    joined = reconstruct(small_model, int(order[len(order) * 2 // 3]), resolution=40)
    apart = reconstruct(small_model, int(order[len(order) // 4]), resolution=40)
    assert joined.measured.isthmus_area_mm2 > 0 == apart.measured.isthmus_area_mm2

    without = steer_to_target(small_model, joined, {"isthmus_area_mm2": 0.0}, resolution=40)
    with_ = steer_to_target(small_model, apart, {"isthmus_area_mm2": 80.0}, resolution=40)

    assert without.met
    assert with_.met


def test_the_same_start_and_targets_give_the_same_thyroid(small_model: ShapeModel, starts: list[Thyroid]) -> None:
    first, again = (
        steer_to_target(shapes, starts[1], {"symmetry": 0.8}, resolution=32)
        for shapes in (small_model, ModelShapes(small_model))
    )

    np.testing.assert_array_equal(first.thyroid.code, again.thyroid.code)


def test_a_start_that_measures_the_targets_is_left_as_it_is(small_model: ShapeModel, starts: list[Thyroid]) -> None:
    for targets in (starts[0].measured.as_dict(), {}):
        result = steer_to_target(small_model, starts[0], targets, resolution=40)
        assert result.met
        assert (result.rounds, result.moved) == (0, 0.0)
        np.testing.assert_array_equal(result.thyroid.code, starts[0].code)


@pytest.mark.parametrize(
    "targets",
    [
        {"volume_ml": 400.0, "symmetry": 0.999},
        {"isthmus_area_mm2": 1e5},
        {"volume_ml": 5.0, "isthmus_area_mm2": 5000.0},
    ],
)
def test_targets_out_of_reach_give_the_nearest_and_say_so(
    small_model: ShapeModel, starts: list[Thyroid], targets: dict[str, float]
) -> None:
    result = steer_to_target(small_model, starts[0], targets, resolution=32, max_rounds=6)

    assert result.met is False
    assert result.thyroid.validity.ok
    assert result.rounds <= 6
    assert all(np.isfinite(list(result.error.values())))


@pytest.mark.parametrize(
    "targets", [{"volume": 10.0}, {"volume_ml": 0.0}, {"symmetry": 1.2}, {"volume_ml": float("inf")}]
)
def test_impossible_targets_and_misspelt_ones_are_refused(
    small_model: ShapeModel, starts: list[Thyroid], targets: dict[str, float]
) -> None:
    with pytest.raises(InputError, match=next(iter(targets))):
        steer_to_target(small_model, starts[0], targets)


def test_a_baseline_model_can_be_steered_as_well(small_baseline: ShapeModel) -> None:
    start = next(generate(small_baseline, count=1, seed=0, resolution=32))
    wanted = 1.05 * start.measured.volume_ml

    result = steer_to_target(small_baseline, start, {"volume_ml": wanted}, resolution=32)

    assert result.met


def test_a_stop_is_heard(small_model: ShapeModel, starts: list[Thyroid]) -> None:
    with pytest.raises(Cancelled):
        steer_to_target(small_model, starts[0], {"volume_ml": 14.0}, should_stop=lambda: True)


def test_training_codes_lie_at_about_1(small_model: ShapeModel) -> None:
    space = CodeSpace.of(small_model)

    distances = [space.distance(code) for code in small_model.codes]

    assert 0.5 < np.mean(distances) < 1.5
    assert space.distance(space.mean) == 0.0


@pytest.mark.parametrize(
    ("name", "target", "within", "beyond"),
    [
        ("volume_ml", 20.0, 20.39, 20.41),
        ("isthmus_area_mm2", 0.0, 2.9, 3.1),
        ("isthmus_area_mm2", 200.0, 205.9, 206.1),
        ("symmetry", 0.8, 0.791, 0.789),
    ],
)
def test_what_counts_as_met(name: str, target: float, within: float, beyond: float) -> None:
    assert is_met(name, within, target)
    assert not is_met(name, beyond, target)


class Counted(ModelShapes):
    """Shapes that note the grids on which they were decoded."""

    def __init__(self, model: ShapeModel) -> None:
        super().__init__(model)
        self.decoded: list[int] = []

    def thyroid(self, code: np.ndarray, *, resolution: int = 64, **about: object) -> Thyroid:
        self.decoded.append(resolution)
        return super().thyroid(code, resolution=resolution, **about)

    def in_small_steps(self) -> Counted:
        return self


@pytest.mark.parametrize("resolution", [96, 128])
def test_a_finer_surface_meets_the_targets_itself_and_few_are_decoded(small_model: ShapeModel, resolution: int) -> None:
    start = next(iter(generate(small_model, count=1, seed=1)))
    targets = {"volume_ml": 1.2 * start.measured.volume_ml, "symmetry": 0.95 * start.measured.symmetry}
    shapes = Counted(small_model)
    told: list[float] = []

    result = steer_to_target(
        shapes, start, targets, resolution=resolution, progress=lambda fraction, message: told.append(fraction)
    )

    assert result.met
    assert result.thyroid.resolution == resolution
    again = ModelShapes(small_model).thyroid(result.thyroid.code, resolution=resolution)
    assert all(is_met(name, getattr(again.measured, name), value) for name, value in targets.items())
    assert 1 <= shapes.decoded.count(resolution) <= 3
    assert set(shapes.decoded) == {64, resolution}
    assert shapes.decoded == sorted(shapes.decoded)
    assert result.rounds == len(shapes.decoded)
    assert told == sorted(told)
    assert told[-1] >= 0.5
    # What is met on this grid already is not decoded again; on a coarser one it is.
    shapes.decoded.clear()
    assert steer_to_target(shapes, result.thyroid, targets, resolution=resolution).thyroid.code is result.thyroid.code
    assert shapes.decoded == []
    assert steer_to_target(shapes, result.thyroid, targets).thyroid.resolution == 64


class LedAstray(Counted):
    """Shapes whose derivatives say the contrary of what is."""

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        local = super().sensitivity(thyroid)
        return replace(local, jacobian=-local.jacobian)


def test_where_steering_begins_anew_its_progress_goes_on(small_model: ShapeModel) -> None:
    shapes, told = LedAstray(small_model), []
    start = shapes.thyroid(small_model.codes[0])
    before = len(shapes.decoded)

    result = steer_to_target(
        shapes,
        start,
        {"volume_ml": 2 * start.measured.volume_ml},
        progress=lambda fraction, message: told.append(fraction),
    )

    # Steps that lead nowhere, and what the model makes of the wish when it is told.
    assert len(shapes.decoded) - before == len(told) == result.rounds > 3
    assert abs(result.error["volume_ml"]) < start.measured.volume_ml
    assert told == sorted(set(told))


def test_a_fine_surface_can_be_given_up_before_it_is_decoded(small_model: ShapeModel) -> None:
    start = next(iter(generate(small_model, count=1, seed=1)))
    shapes = Counted(small_model)

    def at_the_finer_grid() -> bool:
        return len(shapes.decoded) > 0 and told[-1] >= 0.5

    told: list[float] = [0.0]
    with pytest.raises(Cancelled):
        steer_to_target(
            shapes,
            start,
            {"volume_ml": 1.2 * start.measured.volume_ml},
            resolution=128,
            progress=lambda fraction, message: told.append(fraction),
            should_stop=at_the_finer_grid,
        )
    assert shapes.decoded.count(128) <= 1
