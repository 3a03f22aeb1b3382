"""Thyroids drawn near a code."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.neighbours import draw_near
from ThyroidSynthLib.model.shape_model import ShapeModel


def test_neighbours_are_valid_repeatable_and_as_near_as_asked(small_model: ShapeModel) -> None:
    shapes, code = ModelShapes(small_model), small_model.codes[3]

    def moved(thyroid) -> float:
        offset = thyroid.code.astype(float) - code
        return float(np.sqrt(offset @ shapes.space.precision @ offset / len(offset)))

    made = [draw_near(shapes, code, seed=seed, resolution=32) for seed in range(4)]
    again = draw_near(shapes, code, seed=2, resolution=32)
    np.testing.assert_array_equal(again.code, made[2].code)
    assert len({thyroid.code.tobytes() for thyroid in made}) == 4
    assert all(thyroid.validity.ok and thyroid.seed == seed for seed, thyroid in enumerate(made))
    assert np.mean([moved(thyroid) for thyroid in made]) == pytest.approx(0.35, rel=0.4)
    np.testing.assert_allclose(draw_near(shapes, code, seed=0, spread=0.0, resolution=32).code, code, rtol=1e-6)


def test_drawing_can_be_stopped(small_model: ShapeModel) -> None:
    with pytest.raises(Cancelled):
        draw_near(ModelShapes(small_model), small_model.codes[0], seed=0, should_stop=lambda: True)
