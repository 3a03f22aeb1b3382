"""Thyroids drawn near a latent code."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.neighbours import draw_near
from ThyroidSynthLib.model.trained_model import TrainedModel


def test_neighbours_are_valid_reproducible_and_at_the_given_spread(small_model: TrainedModel) -> None:
    shapes, code = ModelShapes(small_model), small_model.codes[3]

    def moved(drawn) -> float:
        offset = drawn.thyroid.code.astype(float) - code
        return float(np.sqrt(offset @ shapes.space.precision @ offset / len(offset)))

    made = [draw_near(shapes, code, seed=seed, resolution=32) for seed in range(4)]
    again = draw_near(shapes, code, seed=2, resolution=32)
    np.testing.assert_array_equal(again.thyroid.code, made[2].thyroid.code)
    assert len({each.thyroid.code.tobytes() for each in made}) == 4
    assert all(each.thyroid.validity.ok and each.seed == seed for seed, each in enumerate(made))
    assert np.mean([moved(each) for each in made]) == pytest.approx(0.35, rel=0.4)
    same = draw_near(shapes, code, seed=0, spread=0.0, resolution=32)
    np.testing.assert_allclose(same.thyroid.code, code, rtol=1e-6)


def test_drawing_can_be_cancelled(small_model: TrainedModel) -> None:
    with pytest.raises(Cancelled):
        draw_near(ModelShapes(small_model), small_model.codes[0], seed=0, should_stop=lambda: True)
