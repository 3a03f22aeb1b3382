"""Interactive steering, also with targets out of reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.steer.live_steering import LiveSteering
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def starts(small_model: TrainedModel) -> list[Thyroid]:
    return [generated.thyroid for generated in generate(small_model, count=3, seed=3)]


def test_the_shape_does_not_run_away_from_targets_out_of_reach(
    small_model: TrainedModel, starts: list[Thyroid]
) -> None:
    acceptable = 0.05 * small_model.features[:, 0].std()
    for start in starts:
        live = LiveSteering(ModelShapes(small_model), start)
        for volume in np.linspace(1, 2.5, 8) * start.measured.volume_ml:
            before = abs(live.current.measured.volume_ml - volume)
            after = abs(live.follow(Targets(volume_ml=volume), resolution=32).measured.volume_ml - volume)
            assert after <= 2 * before + acceptable


def test_settling_decodes_a_thyroid_from_a_coarser_grid_again(small_model: TrainedModel, starts: list[Thyroid]) -> None:
    live = LiveSteering(ModelShapes(small_model), starts[0])
    coarse = live.follow(Targets(volume_ml=1.05 * starts[0].measured.volume_ml), resolution=32)
    result = live.settle(Targets(volume_ml=coarse.measured.volume_ml), resolution=48)
    assert (coarse.resolution, result.thyroid.resolution) == (32, 48)
    assert result.met


class Overshooting(ModelShapes):
    """Shapes that change 2.4 times as fast with their code as their derivatives predict."""

    def in_small_steps(self) -> ModelShapes:
        return self

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        true = super().sensitivity(thyroid)
        return replace(true, jacobian=true.jacobian / 2.4)


def test_a_step_that_overshoots_is_shortened(small_model: TrainedModel, starts: list[Thyroid]) -> None:
    for start in starts:
        live = LiveSteering(Overshooting(small_model), start)
        target = 1.15 * start.measured.volume_ml
        reached = live.follow(Targets(volume_ml=target), resolution=32).measured.volume_ml
        assert abs(reached - target) < 0.5 * abs(start.measured.volume_ml - target)
