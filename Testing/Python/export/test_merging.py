"""The patient's map with another thyroid: nothing else changes, and overlaps are reported."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.merging import MergeRules, merging_notes, on_grid, replace_thyroid
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.label_table import Look

MATRIX = np.diag([1.0, 2.0, 5.0, 1.0])  # a voxel has 0.01 mL
TRACHEA, THYROID, MUSCLE = 16, 17, 80


@pytest.fixture
def labels():
    array = np.zeros((8, 10, 12), dtype=np.uint8)
    array[:, 5:7, 5:7] = TRACHEA
    array[2:5, 3:5, 2:10] = THYROID
    array[6:, :, :3] = MUSCLE
    return LabelMap(Volume(array, MATRIX), {TRACHEA: "trachea", THYROID: "thyroid_gland", MUSCLE: "muscle"})


@pytest.fixture
def bigger(labels):
    """A thyroid that reaches into the trachea and the muscle, and leaves part of the old one."""
    inside = np.zeros(labels.volume.array.shape, dtype=np.uint8)
    inside[3:7, 3:6, 2:10] = 1
    return Volume(inside, MATRIX)


def test_other_structures_are_kept_and_overlaps_are_reported(labels, bigger):
    merged = replace_thyroid(labels, bigger)

    before, after = labels.volume.array, merged.labels.volume.array
    for other in (TRACHEA, MUSCLE):
        assert np.array_equal(after == other, before == other)
    assert {each.name: each.volume_ml for each in merged.overlaps} == pytest.approx({"trachea": 0.08, "muscle": 0.03})
    assert [each.name for each in merged.overlaps] == ["trachea", "muscle"]
    assert merged.old_ml == pytest.approx(0.48)
    assert merged.new_ml == pytest.approx(0.96)
    assert merged.written_ml == pytest.approx(0.96 - 0.11)
    assert merged.written_ml == pytest.approx((after == THYROID).sum() * 0.01)
    assert not after[2, 3:5, 2:10].any()
    assert np.array_equal(before, labels.volume.array)


def test_the_new_thyroid_may_overwrite_other_structures(labels, bigger):
    merged = replace_thyroid(labels, bigger, MergeRules(overwrite=True))

    assert np.array_equal(merged.labels.volume.array == THYROID, bigger.array == 1)
    assert merged.written_ml == merged.new_ml
    assert len(merged.overlaps) == 2


def test_the_old_thyroid_may_become_another_structure(labels, bigger):
    merged = replace_thyroid(labels, bigger, MergeRules(old_becomes=MUSCLE))

    assert (merged.labels.volume.array[2, 3:5, 2:10] == MUSCLE).all()
    assert (merged.labels.volume.array[3, 3:5, 2:10] == THYROID).all()


def test_what_neighbours_lost_and_gained_is_reported(labels, bigger):
    labels.volume.array[0, 9, 11] = 5
    labels.names[5] = "cyst"
    inside = bigger.array.copy()
    inside[4:6, 5:7, 5:7] = 1  # cuts the trachea through
    inside[0, 9, 11] = 1  # the whole cyst
    merged = replace_thyroid(labels, Volume(inside, MATRIX), MergeRules(overwrite=True, old_becomes=MUSCLE))

    changes = {change.name: change for change in merged.changes}
    trachea, cyst, muscle = changes["trachea"], changes["cyst"], changes["muscle"]
    assert (trachea.before_ml, trachea.after_ml) == pytest.approx((0.32, 0.20))
    assert (trachea.components_before, trachea.components_after) == (1, 2)
    assert str(trachea) == "trachea lost 0.12 mL and broke into 2 components"
    assert cyst.after_ml == 0 and "no longer in the map" in str(cyst)
    assert 5 not in merged.labels.names and labels.names[5] == "cyst"
    old_only = (labels.volume.array == THYROID) & (inside == 0)
    lost = ((labels.volume.array == MUSCLE) & (inside == 1)).sum()
    assert muscle.after_ml - muscle.before_ml == pytest.approx((old_only.sum() - lost) * 0.01)
    assert merged.to_json()["changes"][0]["name"] == merged.changes[0].name

    # Structures that are kept do not change, and the others keep their names.
    assert replace_thyroid(labels, Volume(inside, MATRIX)).changes == ()
    assert replace_thyroid(labels, Volume(inside, MATRIX)).labels.names == labels.names


def test_both_lobes_of_the_old_thyroid_are_replaced_by_one_gland(labels, bigger):
    array = labels.volume.array.copy()
    array[:, :, 6:][array[:, :, 6:] == THYROID] = 18
    lobes = LabelMap(
        Volume(array, MATRIX), {TRACHEA: "trachea", THYROID: "thyroid_right", 18: "thyroid_left", MUSCLE: "muscle"}
    )
    merged = replace_thyroid(lobes, bigger)

    assert merged.thyroid_label == THYROID and not (merged.labels.volume.array == 18).any()
    assert merged.labels.names == {TRACHEA: "trachea", THYROID: "thyroid_gland", MUSCLE: "muscle"}
    assert merged.old_ml == pytest.approx(0.48)
    assert "17 (thyroid_right), 18 (thyroid_left)" in merged.notes[0]
    assert np.array_equal(merged.labels.volume.array, replace_thyroid(labels, bigger).labels.volume.array)


def test_the_map_follows_another_grid(labels):
    half = Grid((16, 10, 6), np.array([[2.0, 0, 0, 0.5], [0, 2.0, 0, 0], [0, 0, 2.5, -1.25], [0, 0, 0, 1]]))
    coarse = on_grid(labels, half)
    assert coarse.volume.array.shape == half.shape and coarse.names == labels.names
    for label in (TRACHEA, THYROID, MUSCLE):
        own, new = ((each.array == label).sum() * each.voxel_volume_ml for each in (labels.volume, coarse.volume))
        assert new == pytest.approx(own, rel=0.35)
    assert np.array_equal(coarse.volume.array[::2, :, 0], labels.volume.array[:, :, 0])
    assert "resampled to voxels of 2 x 2 x 2.5 mm" in coarse.notes[0]

    bottom = on_grid(labels, labels.volume.grid.part((0, 0, 0), (2, 10, 12)))
    assert np.array_equal(bottom.volume.array, labels.volume.array[:2]) and MUSCLE not in bottom.names
    assert "no voxel of the grid lies in muscle: not in the merged map" in bottom.notes[1]
    # The old thyroid is not there either; the new one has its label nevertheless.
    inside = Volume(np.ones((2, 10, 12), dtype=np.uint8), bottom.volume.ijk_to_ras)
    assert replace_thyroid(bottom, inside).labels.names == {TRACHEA: "trachea", THYROID: "thyroid_gland"}
    assert on_grid(labels, labels.volume.grid) is labels


def test_colours_and_terminology_of_kept_labels_are_kept(labels, bigger):
    looks = {label: Look((0.1, 0.2, 0.3), "entry", f"id{label}") for label in labels.names}
    named = LabelMap(labels.volume, labels.names, looks)
    assert replace_thyroid(named, bigger).labels.looks == looks
    assert set(replace_thyroid(named, bigger, MergeRules(thyroid_label=8)).labels.looks) == {TRACHEA, MUSCLE}


def test_the_same_thyroid_changes_nothing(labels):
    same = Volume(labels.volume.array == THYROID, MATRIX)

    merged = replace_thyroid(labels, same)

    assert np.array_equal(merged.labels.volume.array, labels.volume.array)
    assert merged.overlaps == ()


def test_a_patient_without_a_thyroid_gets_a_new_label(labels, bigger):
    without = LabelMap(
        Volume(np.where(labels.volume.array == THYROID, 0, labels.volume.array), MATRIX), {255: "a", TRACHEA: "trachea"}
    )

    merged = replace_thyroid(without, bigger)

    assert merged.thyroid_label == 256
    assert merged.labels.names[256] == "thyroid_gland"
    assert merged.labels.volume.array.max() == 256
    # A label without a name is a structure, too.
    assert merged.overlaps[-1].name == f"label {MUSCLE}"


def test_the_old_thyroid_is_removed_whatever_label_the_new_one_has(labels, bigger):
    """It neither stays in the map nor limits the new one."""
    merged = replace_thyroid(labels, bigger, MergeRules(thyroid_label=8))

    assert merged.thyroid_label == 8 and merged.notes == ()
    assert not (merged.labels.volume.array == THYROID).any()
    free = ~np.isin(labels.volume.array, (TRACHEA, MUSCLE))
    assert np.array_equal(merged.labels.volume.array == 8, (bigger.array == 1) & free)
    assert {each.name for each in merged.overlaps} == {"trachea", "muscle"}
    assert merged.old_ml == pytest.approx((labels.volume.array == THYROID).sum() * 0.01)
    assert merged.labels.names == {8: "thyroid_gland", TRACHEA: "trachea", MUSCLE: "muscle"}
    # Its label is then no longer a structure that its voxels could become.
    with pytest.raises(InputError, match="cannot become label 17"):
        replace_thyroid(labels, bigger, MergeRules(thyroid_label=8, old_becomes=THYROID))


def test_the_label_of_another_structure_is_rejected_where_the_thyroid_is_named(labels, bigger):
    with pytest.raises(InputError, match=r"Label 80 is muscle in the map, and its thyroid has label 17"):
        replace_thyroid(labels, bigger, MergeRules(thyroid_label=MUSCLE))
    # Unless it is known to be the old thyroid; then both go.
    merged = replace_thyroid(labels, bigger, MergeRules(thyroid_label=MUSCLE, old_labels=(MUSCLE,), overwrite=True))
    assert np.array_equal(merged.labels.volume.array == MUSCLE, bigger.array == 1)
    assert not (merged.labels.volume.array == THYROID).any()


def test_the_chosen_label_is_the_old_thyroid_where_none_is_named(labels, bigger):
    unnamed = LabelMap(labels.volume, {TRACHEA: "trachea", THYROID: "gland", MUSCLE: "muscle"})
    merged = replace_thyroid(unnamed, bigger, MergeRules(thyroid_label=THYROID))

    assert merged.notes == () and merged.old_ml > 0
    assert {each.name for each in merged.overlaps} == {"trachea", "muscle"}


@pytest.mark.parametrize("rules", [MergeRules(), MergeRules(thyroid_label=8)])
def test_an_unknown_old_thyroid_is_reported(labels, bigger, rules):
    unnamed = LabelMap(labels.volume, {TRACHEA: "trachea", THYROID: "gland", MUSCLE: "muscle"})
    merged = replace_thyroid(unnamed, bigger, rules)

    (note,) = merged.notes
    assert "no old thyroid was removed" in note and "17 (gland)" in note and "choose its label" in note
    assert merged.to_json()["notes"] == [note]


def test_a_thyroid_without_voxels_does_not_hide_that_the_old_one_has_another_name(labels, bigger):
    """As of a folder with an empty mask of the thyroid, or none, and one of another name."""
    labels = LabelMap(labels.volume, {TRACHEA: "trachea", THYROID: "gland", MUSCLE: "muscle", 99: "thyroid_gland"})
    (note,) = merging_notes(labels, MergeRules())
    assert "no old thyroid was removed: label 99 (thyroid_gland) has no voxel" in note and "17 (gland)" in note
    assert replace_thyroid(labels, bigger).thyroid_label == 99
    chosen = replace_thyroid(labels, bigger, MergeRules(thyroid_label=THYROID))
    assert (chosen.thyroid_label, chosen.notes) == (THYROID, ()) and chosen.old_ml > 0


def test_other_grids_and_impossible_labels_are_rejected(labels, bigger):
    with pytest.raises(InputError, match="different grids"):
        replace_thyroid(labels, Volume(bigger.array[1:], MATRIX))
    for rules, message in (
        (MergeRules(old_becomes=3), "cannot become label 3"),
        (MergeRules(old_becomes=THYROID), "cannot become label 17"),
        (MergeRules(thyroid_label=0), "cannot have label 0"),
        (MergeRules(thyroid_label=65536), "cannot have label 65536.*from 1 to 65535"),
    ):
        with pytest.raises(InputError, match=message):
            replace_thyroid(labels, bigger, rules)
        # Found before a thyroid is generated or fitted, too.
        with pytest.raises(InputError, match=message):
            merging_notes(labels, rules)
    assert replace_thyroid(labels, bigger, MergeRules(thyroid_label=65535)).thyroid_label == 65535
