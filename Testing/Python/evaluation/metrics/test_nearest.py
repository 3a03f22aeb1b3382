"""The nearest training shape: its distance is correct, and its cache file is used only for the same model."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid, shifted
from support.example_case import example_model
from ThyroidSynthLib.evaluation.metrics.nearest import (
    TrainingShapes,
    decode_training_shapes,
    find_nearest,
)
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.trained_model import TrainedModel


def last(steps):
    """Run a generator to its end and return its result."""
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            assert shares == sorted(shares)
            return end.value


def sphere(radius: float) -> Surface:
    return ellipsoid((radius, radius, radius), subdivisions=3)


@pytest.fixture(scope="module")
def ball() -> Surface:
    return sphere(10.0)


@pytest.fixture
def shapes(ball) -> TrainingShapes:
    surfaces = [shifted(ball, 3.0 * number) for number in range(30)]
    return TrainingShapes("abc", tuple(f"s{number}" for number in range(30)), tuple(surfaces))


def test_the_distance_of_concentric_balls_is_the_difference_of_their_radii(ball):
    for radius, gap in ((12.0, 2.0), (10.0, 0.0)):
        found = last(find_nearest(ball, TrainingShapes("abc", ("s0",), (sphere(radius),))))
        assert found.distance_mm == pytest.approx(gap, abs=0.05)


def test_the_nearest_of_many_shapes_is_found(ball, shapes):
    found = last(find_nearest(shifted(ball, 31.0), shapes))
    assert found.id == "s10"
    # The mean distance to a ball moved by d is d/2.
    assert found.distance_mm == pytest.approx(0.5, abs=0.05)


def test_there_is_no_nearest_of_no_shapes(ball):
    assert last(find_nearest(ball, TrainingShapes("abc", (), ()))) is None


def test_shapes_are_read_as_they_were_saved(shapes, tmp_path):
    path = tmp_path / "cache" / "abc.npz"
    shapes.save(path)
    back = TrainingShapes.load(path, "abc")
    assert back.ids == shapes.ids
    for one, other in zip(back.surfaces, shapes.surfaces, strict=True):
        np.testing.assert_allclose(one.vertices, other.vertices, atol=1e-4)
        np.testing.assert_array_equal(one.faces, other.faces)


@pytest.mark.parametrize("damage", ["missing", "other model", "cut", "garbage", "empty"])
def test_a_damaged_file_or_one_of_another_model_is_not_used(shapes, tmp_path, damage):
    path = tmp_path / "abc.npz"
    shapes.save(path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "garbage":
        path.write_bytes(b"garbage" * 100)
    elif damage == "empty":
        path.write_bytes(b"")
    assert TrainingShapes.load(path, "xyz" if damage == "other model" else "abc") is None


def test_a_reconstruction_is_nearest_to_its_own_case(tmp_path_factory):
    model = TrainedModel.load(example_model(tmp_path_factory))
    shapes = last(decode_training_shapes(model))
    assert shapes.ids == model.ids
    assert shapes.model == model.checksum
    found = last(find_nearest(reconstruct(model, 3).surface, shapes))
    assert found.id == model.ids[3]
    assert found.distance_mm < 0.5
