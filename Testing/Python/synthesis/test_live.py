"""Steering that follows a hand, also where the hand asks too much."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.learning.model import ShapeModel
from ThyroidSynthLib.synthesis.live import LiveSteering
from ThyroidSynthLib.synthesis.shapes import ModelShapes
from ThyroidSynthLib.synthesis.steering import generate


def test_a_hand_that_pulls_beyond_the_models_reach_does_not_make_the_shape_run_away(
    small_model: ShapeModel,
) -> None:
    bearable = 0.05 * small_model.features[:, 0].std()
    for start in generate(small_model, count=3, seed=3):
        live = LiveSteering(ModelShapes(small_model), start)
        for volume in np.linspace(1, 2.5, 8) * start.measured.volume_ml:
            before = abs(live.current.measured.volume_ml - volume)
            after = abs(live.follow({"volume_ml": volume}, resolution=32).measured.volume_ml - volume)
            assert after <= 2 * before + bearable


def test_rest_measures_on_its_own_grid_also_what_was_met_on_a_coarser_one(small_model: ShapeModel) -> None:
    start = next(iter(generate(small_model, count=1, seed=3)))
    live = LiveSteering(ModelShapes(small_model), start)
    coarse = live.follow({"volume_ml": 1.05 * start.measured.volume_ml}, resolution=32)
    settled = live.settle({"volume_ml": coarse.measured.volume_ml}, resolution=48).thyroid
    assert len(settled.surface.faces) > 1.5 * len(coarse.surface.faces)
