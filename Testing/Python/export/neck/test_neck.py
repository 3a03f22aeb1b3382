"""A neck in which every voxel has a label: what the CT shows, what masks say, and no hole where the thyroid was."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid
from ThyroidSynthLib.export.neck.neck import GridChoice, is_rigid, make_neck
from ThyroidSynthLib.export.neck.numbering import numbered
from ThyroidSynthLib.export.neck.phantom_labels import TISSUES
from ThyroidSynthLib.export.neck.tissues import body_of_ct, estimated_body
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.masks import mask_in_scan

GRID = Grid.around(ellipsoid((45.0, 45.0, 20.0)), spacing_mm=1.5, margin_mm=3.0)
THYROIDS = Surface(np.array([[-25.0, -10, -15], [25.0, 20, 15]]), np.empty((0, 3)))
NOWHERE = Placement(np.eye(4))


def _positions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k, j, i = np.indices(GRID.shape)
    x, y, z = np.moveaxis(GRID.to_ras(np.stack([i, j, k], axis=-1)), -1, 0)
    return x, y, z


def _ct_and_labels() -> tuple[Volume, LabelMap]:
    """A cylinder of fat with muscle in it, a vertebra with marrow, trachea and larynx, and a thyroid."""
    x, y, z = _positions()
    hu = np.full(GRID.shape, -1000.0)
    hu[np.hypot(x, y) < 40] = -95.0
    hu[np.hypot(x, y) < 30] = 55.0
    hu[np.hypot(x, y + 18) < 9] = 700.0
    hu[np.hypot(x, y + 18) < 6] = 120.0
    hu[np.hypot(x, y - 12) < 7] = -1000.0
    hu[(np.abs(y - 44) < 1.6) & (np.abs(x) < 40)] = 200.0  # Table: touches nothing.
    thyroid = (np.hypot(np.abs(x) - 14, y - 14) < 6) & (np.abs(z) < 12)
    hu[thyroid] = 190.0
    array = np.zeros(GRID.shape, dtype=np.uint8)
    array[(np.hypot(x, y - 12) < 7) & (z < 5)] = 2
    array[thyroid] = 1
    hu += np.random.default_rng(0).normal(0, 10, hu.shape)
    labels = LabelMap(Volume(array, GRID.ijk_to_ras), {1: "thyroid", 2: "trachea", 3: "aorta"})
    return Volume(hu.astype(np.int16), GRID.ijk_to_ras), labels


@pytest.fixture(scope="module")
def neck():
    ct, labels = _ct_and_labels()
    return make_neck("p", labels, NOWHERE, GridChoice(), THYROIDS, ct=ct)


def _label_at(labels: LabelMap, x: float, y: float, z: float) -> str:
    i, j, k = np.rint(labels.volume.to_ijk(np.array([x, y, z]))).astype(int)
    return labels.names.get(int(labels.volume.array[k, j, i]), "air")


@pytest.mark.parametrize(
    ("at", "name"),
    [
        ((0, 35, 0), "fat"),
        ((20, -5, 0), "muscle"),
        ((0, -10.5, 0), "bone"),
        ((0, -18, 0), "bone"),
        ((0, 12, -8), "trachea"),
        ((0, 12, 15), "airway"),
        ((0, 39.5, 0), "soft_tissue"),
        ((0, 44, 0), "air"),
    ],
)
def test_tissue_is_what_the_ct_shows(neck, at, name):
    assert _label_at(neck.filled, *at) == name


def test_air_above_a_trachea_of_several_labels_is_airway_and_no_lung():
    ct, labels = _ct_and_labels()
    x, y, z = _positions()
    array, hu = labels.volume.array.copy(), ct.array.copy()
    array[(array == 2) & (z > -10)] = 4
    hu[(np.hypot(x, y - 12) < 7) & (z >= 5)] = -850

    found = make_neck(
        "p",
        LabelMap(Volume(array, GRID.ijk_to_ras), {**labels.names, 4: "windpipe"}),
        NOWHERE,
        GridChoice(),
        THYROIDS,
        ct=Volume(hu, GRID.ijk_to_ras),
    )

    assert _label_at(found.filled, 0, 12, 15) == "airway"


def test_labels_are_those_of_totalsegmentator_and_only_of_what_is_there(neck):
    assert {label: neck.before.names[label] for label in (16, 17)} == {16: "trachea", 17: "thyroid_gland"}
    assert "aorta" not in neck.before.names.values()
    assert set(np.unique(neck.filled.volume.array)) - {0} == set(neck.filled.names)


def test_every_voxel_of_the_body_has_a_label_and_the_old_gland_leaves_no_hole(neck):
    x, y, _ = _positions()
    inside = np.hypot(x, y) < 38

    assert (neck.filled.volume.array[inside] != 0).all()
    assert not (neck.filled.volume.array == 17).any()
    old = neck.before.volume.array == 17
    assert old.any()
    assert set(np.unique(neck.filled.volume.array[old])) <= set(TISSUES.values())
    assert np.array_equal(neck.filled.volume.array[~old], neck.before.volume.array[~old])


def test_rigid_structures_are_airway_and_bone():
    rigid = [
        "trachea",
        "vertebrae_C6",
        "larynx_air",
        "thyroid_cartilage",
        "rib_left_1",
        "bone",
        "airway",
        "spinal_cord",
        "hypopharynx",
        "styloid_process_left",
        "sinus_frontal",
        "Cricoid cartilage",
        "C5 vertebra",
        "right clavicle",
    ]
    soft = [
        "common_carotid_artery_left",
        "esophagus",
        "lung_upper_lobe_left",
        "fat",
        "subclavian_artery_left",
        "thyrohyoid_left",
        "levator_scapulae_right",
        "prevertebral_left",
        "vertebral artery",
        "Right lung",
        "lymph node",
    ]

    assert [name for name in (*rigid, *soft) if is_rigid(name)] == rigid


def test_without_a_ct_the_body_is_what_its_mask_says_and_no_mask_leaves_a_hole():
    _, labels = _ct_and_labels()
    x, y, _ = _positions()
    lumen = np.hypot(x, y - 12) < 7
    body = mask_in_scan(Volume(((np.hypot(x, y) < 36) & ~lumen).astype(np.uint8), GRID.ijk_to_ras))
    fat = mask_in_scan(Volume((np.hypot(x, y) > 30).astype(np.uint8), GRID.ijk_to_ras))

    found = make_neck(
        "p", labels, NOWHERE, GridChoice(), THYROIDS, tissue_masks={"body": body, "subcutaneous_fat": fat}
    )

    assert found.body == "mask"
    assert _label_at(found.filled, 0, 34, 0) == "fat"
    assert _label_at(found.filled, 0, 26, 0) == "soft_tissue"
    assert _label_at(found.filled, 0, 38, 0) == "air"
    assert _label_at(found.filled, 0, 12, -8) == "trachea"
    assert _label_at(found.filled, 0, 12, 15) == "airway"


def test_without_ct_and_body_mask_the_body_is_estimated_in_every_slice():
    _, labels = _ct_and_labels()

    found = make_neck("p", labels, NOWHERE, GridChoice(), THYROIDS)

    assert found.body.startswith("estimated")
    assert (found.filled.volume.array != 0).any(axis=(1, 2)).all()
    assert _label_at(found.filled, 0, 19 + 24, 0) == "soft_tissue"
    assert _label_at(found.filled, 0, -20, 0) == "air"


def test_a_grid_around_the_thyroids_has_the_chosen_spacing_margin_and_shape():
    ct, labels = _ct_and_labels()
    margin = make_neck("p", labels, NOWHERE, GridChoice(spacing_mm=2.0, margin_mm=10.0), THYROIDS, ct=ct)
    shape = make_neck("p", labels, NOWHERE, GridChoice(spacing_mm=1.0, shape=(64, 48, 32)), THYROIDS, ct=ct)
    finer = make_neck("p", labels, NOWHERE, GridChoice(spacing_mm=0.75), THYROIDS, ct=ct)

    np.testing.assert_allclose(margin.shown.spacing_mm, 2.0)
    np.testing.assert_allclose(np.stack(margin.shown.bounds), [[-35, -20, -25], [35, 30, 25]], atol=3.1)
    assert shape.shown.shape == (32, 48, 64)
    np.testing.assert_allclose(shape.shown.to_ras(shape.shown.last_ijk / 2), [0, 5, 0], atol=1.0)
    np.testing.assert_allclose(np.stack(finer.shown.bounds), np.stack(GRID.bounds), atol=0.8)
    assert all(each.ct.array.shape == each.grid.shape for each in (margin, shape, finer))


def test_tissue_beyond_the_grid_is_known_where_the_scan_shows_it():
    ct, labels = _ct_and_labels()

    found = make_neck("p", labels, NOWHERE, GridChoice(spacing_mm=1.5, margin_mm=2.0), THYROIDS, ct=ct)
    whole = make_neck("p", labels, NOWHERE, GridChoice(), THYROIDS, ct=ct)

    rim = np.stack(found.shown.bounds) - np.stack(found.grid.bounds)
    assert (rim[0] > 5).all() and (rim[1] < -5).all()
    assert found.cut(found.filled.volume).array.shape == found.shown.shape
    assert whole.grid.shape == whole.shown.shape == GRID.shape


def test_a_margin_ends_with_the_scan_and_a_shape_beyond_it_is_noted():
    ct, labels = _ct_and_labels()

    margin = make_neck("p", labels, NOWHERE, GridChoice(spacing_mm=1.5, margin_mm=60.0), THYROIDS, ct=ct)
    shape = make_neck("p", labels, NOWHERE, GridChoice(spacing_mm=3.0, shape=(60, 60, 60)), THYROIDS, ct=ct)

    np.testing.assert_allclose(np.stack(margin.shown.bounds), np.stack(GRID.bounds), atol=1.6)
    assert margin.notes == ()
    assert any("outside the scan" in note for note in shape.notes)


def test_a_margin_holds_a_patients_own_thyroid_that_is_larger_than_those_of_the_model():
    ct, labels = _ct_and_labels()
    small = Surface(np.array([[-3.0, 10, -3], [3.0, 14, 3]]), np.empty((0, 3)))

    found = make_neck("p", labels, NOWHERE, GridChoice(spacing_mm=1.5, margin_mm=2.0), small, ct=ct)

    assert found.shown.holds(found.own)


def test_body_is_the_largest_part_with_its_airways():
    x, y, _ = _positions()
    hu = np.where(np.hypot(x, y) < 30, 40.0, -1000.0)
    hu[np.hypot(x, y - 10) < 6] = -1000.0
    hu[np.hypot(x - 41, y) < 4] = 40.0

    body = body_of_ct(hu, GRID, np.zeros(GRID.shape, dtype=bool))

    assert np.array_equal(body, np.hypot(x, y) < 30)


def test_estimated_body_of_nothing_is_empty():
    assert not estimated_body(np.zeros(GRID.shape, dtype=bool), GRID).any()


def test_structures_of_other_names_keep_them_and_nodules_belong_to_the_old_gland():
    array = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    names = {
        1: "left thyroid lobe",
        2: "thyroid nodule",
        3: "Trachea",
        4: "parotid_gland",
        5: "jugular",
        6: "Esophagus",
    }

    found = numbered(LabelMap(Volume(array, np.eye(4)), names))

    assert found.names == {
        15: "esophagus",
        16: "trachea",
        17: "thyroid_gland",
        118: "parotid_gland",
        119: "jugular",
        120: "label 7",
    }
    np.testing.assert_array_equal(found.volume.array.ravel(), [0, 17, 17, 16, 118, 119, 15, 120])
