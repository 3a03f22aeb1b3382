"""Phantoms by the Python API."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib import ShapeModel
from ThyroidSynthLib.common.errors import InputError, OutputError

GRID = {"spacing_mm": 2.0, "margin_mm": 15.0}


@pytest.fixture(scope="module")
def model() -> ShapeModel:
    return ShapeModel.load("example")


def test_a_phantom_with_nodules_is_written_once(model, tmp_path):
    phantom = model.phantom(volume_ml=30, lobes=True, nodules="count=2,diameter=8-12,bulge=0", seed=3, **GRID)

    labels = phantom.labels
    array, names = labels.volume.array, labels.names
    assert phantom.met
    own = [label for label, name in names.items() if name.startswith("thyroid")]
    assert np.isin(array, own).sum() * labels.volume.voxel_volume_ml == pytest.approx(30, rel=0.01)
    assert {"thyroid_nodule_1", "thyroid_nodule_2"} <= set(names.values())
    assert set(phantom.surfaces) <= set(names)
    listed = phantom.document["nodules"]["nodules"]
    assert [each["name"] for each in listed] == ["thyroid_nodule_1", "thyroid_nodule_2"]
    for each in listed:
        measured = each["on_label_map"]
        assert np.allclose(measured["diameters_mm"], each["diameters_mm"], atol=1.0 + 0.01)
    total = sum(phantom.fractions().values())
    assert np.abs(total - 1).max() <= 1e-6
    phantom.save(tmp_path / "p")
    with pytest.raises(OutputError, match="already holds a phantom"):
        phantom.save(tmp_path / "p")
    assert sorted(path.name for path in phantom.save(tmp_path / "p", formats=("mha",), overwrite=True).iterdir()) == [
        "labels.mha",
        "materials.csv",
        "materials.json",
        "phantom.json",
    ]


def test_a_shape_in_the_patient_is_the_gland_of_a_phantom(model):
    own = model.phantom(own=True, **GRID)
    gland = model.steer(seed=1, volume_ml=20)
    placed = model.phantom(**GRID).built.document["trachea_to_ras"]
    moved = gland.at_point(np.array(placed)[:3, 3])

    given = model.phantom(gland=moved, **GRID)

    assert own.document["gland"] == "own"
    assert own.document["motion"] is None
    assert given.document["gland"] == "given"
    assert given.document["measured"]["volume_ml"] == pytest.approx(20, rel=0.01)


def test_what_contradicts_itself_is_refused(model):
    with pytest.raises(InputError, match="Give either targets"):
        model.phantom(own=True, volume_ml=20)
    with pytest.raises(InputError, match="lies off the grid"):
        model.phantom(gland=model.sample()[0], **GRID)


def test_nodules_of_a_table_and_a_ct_that_follows(model, tmp_path):
    table = tmp_path / "nodules.csv"
    table.write_text("part,diameter_mm,calcification\nright,8,micro\n")

    phantom = model.phantom(own=True, nodules=table, paint_ct=True, **GRID)

    (nodule,) = phantom.document["nodules"]["nodules"]
    assert nodule["calcification"] == "micro"
    assert phantom.built.ct is not None
    assert phantom.document["ct"]["gland_values"] == "measured in the patient's gland"
    shares = phantom.fractions()["calcification"]
    assert 0 < shares.sum() * phantom.labels.volume.voxel_volume_ml < 0.05
