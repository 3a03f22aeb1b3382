"""Steering to target meets the targets, or reports the remaining error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, Thyroid, reconstruct
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets, misfit
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def starts(small_model: TrainedModel) -> list[GeneratedThyroid]:
    return list(generate(small_model, count=6, seed=1, resolution=40))


@pytest.fixture(scope="module")
def start(starts: list[GeneratedThyroid]) -> Thyroid:
    return starts[0].thyroid


@pytest.fixture(scope="module")
def usual(small_model: TrainedModel) -> Thyroid:
    """A thyroid on the default grid."""
    return next(generate(small_model, count=1, seed=1)).thyroid


def test_targets_are_met_on_the_final_surface(small_model: TrainedModel, starts: list[GeneratedThyroid]) -> None:
    results = [steer_to_target(small_model, each.thyroid, each.targets, resolution=40) for each in starts]

    assert sum(result.met for result in results) >= 5
    for each, result in zip(starts, results, strict=True):
        targets, measured = each.targets.as_dict(), result.thyroid.measured.as_dict()
        assert result.thyroid.validity.ok
        assert result.targets == each.targets
        assert result.error == pytest.approx({name: measured[name] - targets[name] for name in targets})
        assert result.misfit == max(misfit(name, measured[name], target) for name, target in targets.items())
        assert result.met is (result.misfit <= 1.0)
        assert result.distance < 3.0
        assert result.moved < 1.0


def test_a_result_keeps_the_seed_of_the_drawn_thyroid(
    small_model: TrainedModel, starts: list[GeneratedThyroid]
) -> None:
    drawn = replace(starts[2], attempts=3)
    targets = Targets(volume_ml=1.05 * drawn.thyroid.measured.volume_ml)
    result = steer_to_target(small_model, drawn.thyroid, targets, resolution=40)

    steered = result.applied_to(drawn)

    assert (steered.seed, steered.index, steered.attempts) == (1, 2, 3)
    assert (steered.thyroid, steered.targets) == (result.thyroid, targets)
    assert (steered.met, steered.distance) == (result.met, result.distance)


def test_one_feature_alone_moves_the_code_less_than_a_new_draw_would(small_model: TrainedModel, start: Thyroid) -> None:
    result = steer_to_target(small_model, start, Targets(volume_ml=1.15 * start.measured.volume_ml), resolution=40)

    assert result.met
    assert list(result.error) == ["volume_ml"]
    assert 0 < result.moved < 1.0
    assert result.thyroid.measured.symmetry == pytest.approx(start.measured.symmetry, abs=0.15)


def test_the_condition_makes_an_isthmus_where_derivatives_do_not() -> None:
    example_model = TrainedModel.load("example")
    volume, area, symmetry = example_model.features.T
    for case in np.flatnonzero((area == 0) & (symmetry > 0.4) & (volume > 10))[:2]:
        apart = reconstruct(example_model, int(case))
        assert apart.measured.isthmus_area_mm2 == 0.0

        result = steer_to_target(example_model, apart, Targets(isthmus_area_mm2=80.0))

        assert result.met
        assert result.moved < 0.5


def test_an_isthmus_can_be_made_and_removed(small_model: TrainedModel) -> None:
    order = np.argsort(small_model.features[:, 1])
    joined = reconstruct(small_model, int(order[len(order) * 2 // 3]), resolution=40)
    apart = reconstruct(small_model, int(order[len(order) // 4]), resolution=40)
    assert joined.measured.isthmus_area_mm2 > 0 == apart.measured.isthmus_area_mm2

    without = steer_to_target(small_model, joined, Targets(isthmus_area_mm2=0.0), resolution=40)
    with_ = steer_to_target(small_model, apart, Targets(isthmus_area_mm2=80.0), resolution=40)

    assert without.met
    assert without.thyroid.measured.isthmus_area_mm2 == 0.0
    assert with_.met


def test_the_same_start_and_targets_give_the_same_thyroid(
    small_model: TrainedModel, starts: list[GeneratedThyroid]
) -> None:
    first, again = (
        steer_to_target(shapes, starts[1].thyroid, Targets(symmetry=0.8), resolution=32)
        for shapes in (small_model, ModelShapes(small_model))
    )

    np.testing.assert_array_equal(first.thyroid.code, again.thyroid.code)


def test_a_start_that_meets_the_targets_is_not_changed(small_model: TrainedModel, start: Thyroid) -> None:
    for targets in (Targets.of(start.measured.as_dict()), NO_TARGETS):
        result = steer_to_target(small_model, start, targets, resolution=40)
        assert result.met
        assert (result.rounds, result.moved) == (0, 0.0)
        assert result.thyroid is start


@pytest.mark.parametrize(
    "targets",
    [
        Targets(volume_ml=400.0, symmetry=0.999),
        Targets(isthmus_area_mm2=1e5),
        Targets(volume_ml=5.0, isthmus_area_mm2=5000.0),
    ],
)
def test_targets_out_of_reach_give_the_nearest_and_are_not_met(
    small_model: TrainedModel, start: Thyroid, targets: Targets
) -> None:
    result = steer_to_target(small_model, start, targets, resolution=32, max_rounds=6)

    assert not result.met
    assert result.thyroid.validity.ok
    # As many again for joining separate lobes.
    assert result.rounds <= 12
    assert all(np.isfinite(list(result.error.values())))


def test_a_model_without_conditions_can_be_steered(small_baseline: TrainedModel) -> None:
    start = next(generate(small_baseline, count=1, seed=0, resolution=32)).thyroid

    targets = Targets(volume_ml=1.05 * start.measured.volume_ml)

    assert steer_to_target(small_baseline, start, targets, resolution=32).met


def test_steering_can_be_cancelled(small_model: TrainedModel, start: Thyroid) -> None:
    with pytest.raises(Cancelled):
        steer_to_target(small_model, start, Targets(volume_ml=14.0), should_stop=lambda: True)


def test_training_codes_lie_at_about_1(small_model: TrainedModel) -> None:
    space = CodeSpace.of(small_model)

    distances = [space.distance(code) for code in small_model.codes]

    assert 0.5 < np.mean(distances) < 1.5
    assert space.distance(space.mean) == 0.0


@pytest.mark.parametrize(
    ("name", "target", "within", "beyond"),
    [
        ("volume_ml", 20.0, 20.39, 20.41),
        ("isthmus_area_mm2", 20.0, 22.9, 23.1),
        ("isthmus_area_mm2", 200.0, 205.9, 206.1),
        ("isthmus_area_mm2", 0.0, 0.0, 0.1),
        ("isthmus_area_mm2", 2.0, 0.1, 0.0),
        ("symmetry", 0.8, 0.791, 0.789),
    ],
)
def test_misfit_is_in_tolerances_and_counts_the_presence_of_an_isthmus(
    name: str, target: float, within: float, beyond: float
) -> None:
    assert misfit(name, within, target) <= 1.0 < misfit(name, beyond, target)


class Counted(ModelShapes):
    """Shapes that record the grids on which they are decoded."""

    def __init__(self, model: TrainedModel) -> None:
        super().__init__(model)
        self.decoded: list[int] = []

    def thyroid(self, code: np.ndarray, *, resolution: int = 64) -> Thyroid:
        self.decoded.append(resolution)
        return super().thyroid(code, resolution=resolution)

    def in_small_steps(self) -> Counted:
        return self


@pytest.mark.parametrize("resolution", [96, 128])
def test_a_finer_surface_meets_the_targets_and_few_are_decoded(
    small_model: TrainedModel, usual: Thyroid, resolution: int
) -> None:
    targets = Targets(volume_ml=1.2 * usual.measured.volume_ml, symmetry=0.95 * usual.measured.symmetry)
    shapes = Counted(small_model)
    fractions: list[float] = []

    result = steer_to_target(
        shapes, usual, targets, resolution=resolution, progress=lambda fraction, message: fractions.append(fraction)
    )

    assert result.met
    assert result.thyroid.resolution == resolution
    again = ModelShapes(small_model).thyroid(result.thyroid.code, resolution=resolution)
    assert all(misfit(name, getattr(again.measured, name), value) <= 1.0 for name, value in targets.as_dict().items())
    assert 1 <= shapes.decoded.count(resolution) <= 3
    assert set(shapes.decoded) == {64, resolution}
    assert shapes.decoded == sorted(shapes.decoded)
    assert result.rounds == len(shapes.decoded)
    assert fractions == sorted(fractions)
    assert fractions[-1] >= 0.5
    # On the same grid the result is not decoded again; on a coarser one it is.
    shapes.decoded.clear()
    assert steer_to_target(shapes, result.thyroid, targets, resolution=resolution).thyroid is result.thyroid
    assert shapes.decoded == []
    assert steer_to_target(shapes, result.thyroid, targets).thyroid.resolution == 64


class Reversed(Counted):
    """Shapes whose derivatives have the wrong sign."""

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        local = super().sensitivity(thyroid)
        return replace(local, jacobian=-local.jacobian)


def test_progress_continues_when_steering_restarts_with_the_condition(small_model: TrainedModel) -> None:
    shapes = Reversed(small_model)
    fractions: list[float] = []
    start = shapes.thyroid(small_model.codes[0])
    before = len(shapes.decoded)

    result = steer_to_target(
        shapes,
        start,
        Targets(volume_ml=2 * start.measured.volume_ml),
        progress=lambda fraction, message: fractions.append(fraction),
    )

    # Steps in the wrong direction, then the code with the targets as its condition.
    assert len(shapes.decoded) - before == len(fractions) == result.rounds > 3
    assert abs(result.error["volume_ml"]) < start.measured.volume_ml
    assert fractions == sorted(set(fractions))


def test_steering_can_be_cancelled_on_the_finer_grid(small_model: TrainedModel, usual: Thyroid) -> None:
    shapes = Counted(small_model)
    fractions: list[float] = [0.0]

    with pytest.raises(Cancelled):
        steer_to_target(
            shapes,
            usual,
            Targets(volume_ml=1.2 * usual.measured.volume_ml),
            resolution=128,
            progress=lambda fraction, message: fractions.append(fraction),
            should_stop=lambda: len(shapes.decoded) > 0 and fractions[-1] >= 0.5,
        )
    assert shapes.decoded.count(128) == 1
