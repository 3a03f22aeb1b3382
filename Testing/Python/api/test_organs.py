"""Organs around thyroids by the Python API."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.kept_models import kept_model
from support.necks import tube
from ThyroidSynthLib import ShapeModel, draw_organs, steer_organ
from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.overlap import overlap_ml
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.volume_files import write_volume


@pytest.fixture(scope="module")
def model() -> ShapeModel:
    return ShapeModel.load(kept_model("necks"))


def test_sampled_thyroids_have_the_organs_that_belong_to_them(model: ShapeModel) -> None:
    alone, neck = model.sample(seed=4)[0], model.sample(seed=4, organs=True)[0]

    assert np.array_equal(alone.thyroid.code, neck.thyroid.code) and not alone.organs
    assert list(neck.organs) == ["trachea", "common_carotid_artery_right"]
    placed = neck.at_point([10.0, 20.0, 30.0])
    moved = placed.surfaces["trachea"].vertices - neck.surfaces["trachea"].vertices
    assert np.allclose(moved, [10.0, 20.0, 30.0])
    labels = neck.to_organ_map(spacing_mm=2.0)
    counts = np.bincount(labels.volume.array.ravel())
    assert labels.names[2] == "trachea" and len(counts) == 4
    assert counts[2] * 0.008 == pytest.approx(neck.surfaces["trachea"].volume / 1000, rel=0.05)


def test_an_organ_is_steered_with_the_thyroid_held_or_free(model: ShapeModel) -> None:
    neck = draw_organs(model, [model.reconstruct(model.ids[0])], seed=1)[0]

    held = steer_organ(model, neck, "trachea", cross_section_mm2=230.0)
    free = steer_organ(model, neck, "trachea", cross_section_mm2=230.0, free=True)

    assert held.met and held.thyroid is neck.thyroid
    assert held.organs["trachea"].features["cross_section_mm2"] == pytest.approx(230.0, abs=1.5)
    assert held.organs["common_carotid_artery_right"] is neck.organs["common_carotid_artery_right"]
    assert free.features.volume_ml > neck.features.volume_ml + 0.5


def test_what_has_no_organs_is_refused(model: ShapeModel, small_model) -> None:
    with pytest.raises(ModelError, match="the thyroid only"):
        ShapeModel(small_model).sample(organs=True)
    with pytest.raises(InputError, match="no organ 'trachea'"):
        steer_organ(model, model.sample()[0], "trachea", cross_section_mm2=200.0)


def test_at_a_patient_only_what_the_patient_lacks_is_drawn(model: ShapeModel, tmp_path: Path) -> None:
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    matrix[:3, 3] = [-60.0, -60.0, 40.0]
    grid = Grid((60, 60, 60), matrix)
    own = tube(7.0, 0.0, 0.0, half_length_mm=50.0)
    mask = voxelise(own.moved(own.vertices + np.array([0.0, 0.0, 100.0])), grid)
    write_volume(mask, tmp_path / "trachea.nii.gz")

    at_patient = model.at(tmp_path / "trachea.nii.gz")
    neck = at_patient.sample(seed=1, organs=True)[0]

    assert list(neck.own_organs) == ["trachea"] and list(neck.organs) == ["common_carotid_artery_right"]
    labels = neck.to_organ_map(grid)
    assert labels.names == {1: "thyroid_gland", 2: "common_carotid_artery_right", 3: "trachea"}
    assert np.array_equal(labels.volume.array == 3, mask.array != 0)
    alone = at_patient.sample(seed=1)[0]
    assert np.array_equal(alone.thyroid.code, neck.thyroid.code) and not alone.organs
    again = draw_organs(at_patient, [alone], seed=1)[0]
    assert np.array_equal(again.surfaces["trachea"].vertices, neck.surfaces["trachea"].vertices)
    assert overlap_ml(neck.surfaces["trachea"], neck.surfaces["common_carotid_artery_right"]) < 1e-3
    with pytest.raises(InputError, match="the patient's own"):
        steer_organ(model, neck, "trachea", cross_section_mm2=200.0)
    with pytest.raises(InputError, match=r"Leave out free=True"):
        steer_organ(model, neck, "common_carotid_artery_right", lateral_mm=37.0, free=True)
    moved = steer_organ(model, neck, "common_carotid_artery_right", lateral_mm=37.0)
    assert moved.met and moved.thyroid is neck.thyroid and list(moved.own_organs) == ["trachea"]
    assert not neck.at_point([0.0, 0.0, 0.0]).own_organs
