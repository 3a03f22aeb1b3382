"""A thyroid in a neck: no hole, no remainder, no overlap; neighbours give way and keep their volumes, or stay."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid, together
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.neck.neck import GridChoice, Neck, make_neck
from ThyroidSynthLib.export.phantom.composing import KEEP, compose
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap

TRACHEA, GLAND, RIGHT_CAROTID, LEFT_CAROTID, OESOPHAGUS = 16, 17, 57, 58, 15
GRID = Grid.around(ellipsoid((55.0, 45.0, 45.0)), spacing_mm=1.5, margin_mm=0.0)


def _lobes(radius_mm: float) -> Surface:
    return together(*(ellipsoid((radius_mm, radius_mm, 20.0), (side * 17.0, 4.0, 0.0)) for side in (-1, 1)))


@pytest.fixture(scope="module")
def neck() -> Neck:
    return _neck(GridChoice())


def _neck(choice: GridChoice) -> Neck:
    """A trachea between two lobes of 7 mm radius, vessels beside them, and an oesophagus."""
    array = np.zeros(GRID.shape, dtype=np.uint8)
    x, y, _ = np.moveaxis(GRID.to_ras(np.stack(np.indices(GRID.shape)[::-1], axis=-1)), -1, 0)
    array[np.hypot(x, y) < 8] = TRACHEA
    array[np.hypot(x + 2, (y + 13) * 1.6) < 8] = OESOPHAGUS
    for label, side in ((RIGHT_CAROTID, 1), (LEFT_CAROTID, -1)):
        array[np.hypot(x - side * 29, y) < 3.6] = label
    array[voxelise(_lobes(7.0), GRID).array != 0] = GLAND
    hu = np.where(np.hypot(x, y) < 44, 50, -1000)
    hu[np.hypot(x, y) < 8] = -1000
    names = {16: "trachea", 17: "thyroid_gland", 15: "esophagus", 57: "common_carotid_artery_right"}
    labels = LabelMap(Volume(array, GRID.ijk_to_ras), names | {58: "common_carotid_artery_left"})
    ct = Volume(hu.astype(np.int16), GRID.ijk_to_ras)
    box = Surface(np.array([[-30.0, -15, -25], [30, 20, 25]]), np.empty((0, 3)))
    return make_neck("p", labels, Placement(np.eye(4)), choice, box, ct=ct)


def _count(labels: LabelMap, label: int) -> int:
    return int(np.count_nonzero(labels.volume.array == label))


def test_a_larger_gland_displaces_vessels_which_keep_their_volumes(neck):
    gland = _lobes(11.0)
    inside = voxelise(gland, GRID).array != 0
    assert np.count_nonzero(inside & (neck.filled.volume.array == RIGHT_CAROTID)) > 20

    found = compose(neck, gland)

    array = found.labels.volume.array
    assert np.array_equal(array == GLAND, inside & (neck.filled.volume.array != TRACHEA))
    assert np.array_equal(array == TRACHEA, neck.filled.volume.array == TRACHEA)
    changes = {each["name"]: each for each in found.document["neighbours"]}
    for label, name in ((RIGHT_CAROTID, "common_carotid_artery_right"), (OESOPHAGUS, "esophagus")):
        assert _count(found.labels, label) == pytest.approx(_count(neck.filled, label), rel=0.02)
        assert abs(changes[name]["change"]) <= 0.02
        assert abs(changes[name]["moved_ml"] / changes[name]["before_ml"] - 1) < 0.04
    assert found.document["motion"]["least_jacobian"] > 0


def test_vessels_at_the_end_of_the_grid_keep_their_volumes_too():
    cropped = _neck(GridChoice(spacing_mm=1.5, margin_mm=0.0))
    assert cropped.shown.shape[2] < cropped.grid.shape[2]

    found = compose(cropped, _lobes(11.0))

    changes = {each["name"]: each for each in found.document["neighbours"]}
    for side in ("right", "left"):
        vessel = changes[f"common_carotid_artery_{side}"]
        assert abs(vessel["moved_ml"] / vessel["before_ml"] - 1) < 0.1
        assert abs(vessel["change"]) <= 0.02


def test_a_smaller_gland_leaves_neither_hole_nor_remainder(neck):
    found = compose(neck, _lobes(4.0))

    array = found.labels.volume.array
    body = neck.filled.volume.array != 0
    inner = body & np.roll(body, 4, axis=1) & np.roll(body, -4, axis=1)
    old = neck.before.volume.array == GLAND
    assert (array[inner] != 0).all()
    assert _count(found.labels, GLAND) == np.count_nonzero(voxelise(_lobes(4.0), GRID).array)
    assert not np.isin(array[old], [RIGHT_CAROTID, TRACHEA]).all()


def test_a_gland_over_the_trachea_shares_no_voxel_with_it_and_says_what_was_removed(neck):
    gland = ellipsoid((14.0, 8.0, 12.0), (0.0, 9.0, 0.0))
    shared = np.count_nonzero((voxelise(gland, GRID).array != 0) & (neck.filled.volume.array == TRACHEA))

    found = compose(neck, gland)

    assert found.document["overlap_mm3"] == {"trachea": pytest.approx(shared * 1.5**3)}
    assert _count(found.labels, TRACHEA) == _count(neck.filled, TRACHEA)


def test_neighbours_that_are_kept_keep_every_voxel(neck):
    found = compose(neck, _lobes(11.0), neighbours=KEEP)

    array, before = found.labels.volume.array, neck.filled.volume.array
    for label in (RIGHT_CAROTID, LEFT_CAROTID, OESOPHAGUS, TRACHEA):
        assert np.array_equal(array == label, before == label)
    assert found.motion is None
    assert found.document["kept_by_neighbours_mm3"]["common_carotid_artery_right"] > 60


def test_the_patients_own_gland_changes_nothing(neck):
    found = compose(neck, neck.own, own=True)

    assert np.array_equal(found.labels.volume.array, neck.before.volume.array)
    assert found.motion is None


def test_lobes_and_isthmus_have_labels_of_their_own(neck):
    x, y, z = np.moveaxis(GRID.to_ras(np.stack(np.indices(GRID.shape)[::-1], axis=-1)), -1, 0)
    bridge = (np.abs(x) < 17) & (np.abs(y - 12) < 3) & (np.abs(z) < 6)
    gland = surface_from_mask(Volume(bridge | (voxelise(_lobes(8.0), GRID).array != 0), GRID.ijk_to_ras))
    whole = compose(neck, gland)

    found = compose(neck, gland, lobes=True)

    names = {name: label for label, name in found.labels.names.items()}
    labels = [names[name] for name in ("thyroid_right_lobe", "thyroid_left_lobe", "thyroid_isthmus")]
    assert labels == [210, 211, 212]
    assert np.array_equal(np.isin(found.labels.volume.array, labels), whole.labels.volume.array == GLAND)
    assert sorted(found.parts) == labels
    for label in labels:
        volume = _count(found.labels, label) * 1.5**3
        assert volume == pytest.approx(found.parts[label].volume, rel=0.12)


def test_a_gland_larger_than_its_place_moves_the_skin_or_lies_outside_the_body(neck):
    gland = ellipsoid((20.0, 14.0, 20.0), (0.0, 33.0, 0.0))

    moved, kept = compose(neck, gland), compose(neck, gland, neighbours=KEEP)

    assert kept.document["outside_body_mm3"] > 500
    assert moved.document["outside_body_mm3"] < 0.2 * kept.document["outside_body_mm3"]


def test_a_gland_off_the_grid_is_refused(neck):
    with pytest.raises(InputError, match="No voxel of the thyroid is left"):
        compose(neck, ellipsoid((8.0,) * 3, (0.0, 300.0, 0.0)))
