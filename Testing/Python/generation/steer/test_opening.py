"""Steering towards an isthmus where the lobes are separate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.steering import Objective
from ThyroidSynthLib.generation.thyroid import Thyroid, reconstruct
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def apart(small_model: TrainedModel) -> list[Thyroid]:
    """Two lobes with 6 mm and with 3 mm from the midsagittal plane."""
    surfaces = [two_lobes(semi_axes_mm=(8.0, 8.0, 16.0), offset_mm=8.0 + gap, right_share=1.0) for gap in (6.0, 3.0)]
    drawn = reconstruct(small_model, 0, resolution=24)
    return [replace(drawn, surface=each, measured=measure_features(each)) for each in surfaces]


def test_lobes_that_come_closer_are_nearer_to_an_isthmus(small_model: TrainedModel, apart: list[Thyroid]) -> None:
    objective = Objective(ModelShapes(small_model), Targets(isthmus_area_mm2=60.0), counts_gaps=True)
    # 20 mm² for each mm of the gap, in tolerances of 3 mm².
    assert [objective.misfit(each) for each in apart] == pytest.approx([180 / 3, 120 / 3], abs=1.0)
    assert objective.distance(apart[0]) == pytest.approx(1.5 * objective.distance(apart[1]), rel=0.03)
    plain = Objective(ModelShapes(small_model), Targets(isthmus_area_mm2=60.0))
    assert [plain.misfit(each) for each in apart] == [21.0, 21.0]
    assert objective.error(apart[0]) == {"isthmus_area_mm2": -60.0}


def test_a_gap_of_any_width_meets_the_target_of_no_isthmus(small_model: TrainedModel, apart: list[Thyroid]) -> None:
    objective = Objective(ModelShapes(small_model), Targets(isthmus_area_mm2=0.0), counts_gaps=True)
    assert [objective.misfit(each) for each in apart] == [0.0, 0.0]
