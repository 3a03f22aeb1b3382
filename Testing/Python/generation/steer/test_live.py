"""Steering that follows a hand, also where the hand asks too much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.live import LiveSteering
from ThyroidSynthLib.generation.steer.steering import generate
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.model.shape_model import ShapeModel


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


class _Overshooting(ModelShapes):
    """Shapes that change 2.4 times as fast with their code as they say."""

    def in_small_steps(self) -> ModelShapes:
        return self

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        told = super().sensitivity(thyroid)
        return replace(told, jacobian=told.jacobian / 2.4)


def test_a_step_that_leads_further_away_is_not_taken_where_a_shorter_one_leads_nearer(small_model: ShapeModel) -> None:
    for start in generate(small_model, count=3, seed=3):
        live = LiveSteering(_Overshooting(small_model), start)
        target = 1.15 * start.measured.volume_ml
        reached = live.follow({"volume_ml": target}, resolution=32).measured.volume_ml
        assert abs(reached - target) < 0.5 * abs(start.measured.volume_ml - target)
