"""Targets are met by thyroids as they are written, after something was taken from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.as_written import AsWritten, steer_as_written
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.targets import Targets


def written_with(share: float, *, reduced: bool = True, cut_off: bool = False):
    """Return what leaves a share of the volume."""

    def finish(thyroid):
        features = replace(thyroid.measured, volume_ml=share * thyroid.measured.volume_ml)
        return AsWritten(replace(thyroid, measured=features), reduced=reduced, cut_off=cut_off)

    return finish


@pytest.fixture(scope="module")
def shapes(small_model):
    return ModelShapes(small_model)


@pytest.fixture(scope="module")
def steered(small_model, shapes):
    targets = Targets(volume_ml=float(np.median(small_model.features[:, 0])), symmetry=0.75)
    result = steer_to_target(shapes, reconstruct(small_model, 3, resolution=32), targets, resolution=32)
    assert result.met
    return result


def test_what_is_taken_is_made_up_for_and_the_other_targets_are_kept(shapes, steered):
    found = steer_as_written(shapes, steered, written_with(0.9), resolution=32)

    target = steered.targets.volume_ml
    assert found.met and abs(found.error["volume_ml"]) <= 0.003 * target
    # The thyroid is the whole one, before anything is taken.
    assert found.thyroid.measured.volume_ml == pytest.approx(target / 0.9, rel=0.004)
    assert found.thyroid.measured.volume_ml == pytest.approx(found.thyroid.surface.volume / 1000)
    assert found.thyroid.measured.symmetry == pytest.approx(0.75, abs=0.01)
    assert found.moved > steered.moved


def test_voxels_within_the_tolerance_change_no_shape(shapes, steered):
    found = steer_as_written(shapes, steered, written_with(0.985, reduced=False), resolution=32)
    assert found.thyroid is steered.thyroid and found.met
    assert found.error["volume_ml"] == pytest.approx(-0.015 * steered.targets.volume_ml, rel=0.15)

    beyond = steer_as_written(shapes, steered, written_with(0.96, reduced=False), resolution=32)
    assert beyond.met and beyond.thyroid is not steered.thyroid


def test_a_thyroid_that_the_grid_cuts_off_is_not_blown_up_but_misses_its_target(shapes, steered):
    found = steer_as_written(shapes, steered, written_with(0.5, cut_off=True), resolution=32)
    assert found.thyroid is steered.thyroid
    assert found.met is False
    assert found.error["volume_ml"] == pytest.approx(-0.5 * steered.targets.volume_ml, rel=0.02)


def test_targets_that_cannot_be_met_as_written_are_reported_as_missed(shapes, steered):
    def always_the_same(thyroid):
        features = replace(thyroid.measured, volume_ml=3.0)
        return AsWritten(replace(thyroid, measured=features), reduced=True)

    found = steer_as_written(shapes, steered, always_the_same, resolution=32)
    assert found.met is False and found.error["volume_ml"] == pytest.approx(3.0 - steered.targets.volume_ml)


def test_a_thyroid_of_which_nothing_is_left_is_an_error(shapes, steered):
    def nothing(thyroid):
        raise SynthesisError("nothing is left")

    with pytest.raises(SynthesisError, match="nothing is left"):
        steer_as_written(shapes, steered, nothing)
