"""Changes of a thyroid by the Segment Editor, transforms and Python are noticed, measured and never overwritten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.hand_edits import erase_half
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.slicer.scene.thyroids.collection import add_beside, remove_thyroid, restore_thyroid
from ThyroidSynthLib.slicer.scene.thyroids.placing import motion_of, start_moving
from ThyroidSynthLib.slicer.scene.thyroids.present import is_edited_by_hand, measure_again
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record, record_as_made
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import (
    SEGMENT_ID,
    add_generated_thyroid,
    generated_thyroids,
    replace_surface,
)
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment


@pytest.fixture
def record(record, own_surface):
    measured = measure_features(own_surface.moved(record.placement.to_trachea(own_surface.vertices))).as_dict()
    return replace(record, measured=measured, targets={"volume_ml": measured["volume_ml"]}, met=True)


@pytest.fixture
def node(scene, loaded, own_surface, record):
    return add_generated_thyroid(scene, "Generated thyroid", own_surface, ct=loaded.ct, record=record)


def smaller(surface, factor=0.5):
    centre = surface.vertices.mean(axis=0)
    return surface.moved(centre + factor * (surface.vertices - centre))


def scaled(scene, node, factor=2.0):
    import slicer

    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(transform, np.diag([factor, factor, factor, 1.0]))
    node.SetAndObserveTransformNodeID(transform.GetID())


def test_what_the_module_and_the_views_do_is_no_edit_by_hand(scene, node, own_surface, transform, record, tmp_path):
    import slicer

    assert not is_edited_by_hand(node)
    node.CreateBinaryLabelmapRepresentation()
    assert not is_edited_by_hand(node)
    node.SetAndObserveTransformNodeID(transform.GetID())
    replace_surface(node, smaller(own_surface), record=record)
    assert not is_edited_by_hand(node)
    assert not measure_again(node)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert not is_edited_by_hand(generated_thyroids(scene)[0])


def test_a_thyroid_of_the_segment_editor_is_measured_again(scene, node, loaded, record, tmp_path):
    import slicer

    volume_ml = erase_half(node, loaded.ct)
    assert is_edited_by_hand(node)
    assert measure_again(node)
    assert not measure_again(node)
    now = read_record(node)
    assert now.edited_by_hand
    assert now.met is False
    assert now.measured["volume_ml"] == pytest.approx(volume_ml, rel=0.05)
    assert now.measured["volume_ml"] < 0.8 * record.measured["volume_ml"]
    assert record_as_made(node).measured == record.measured
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    (again,) = generated_thyroids(scene)
    assert is_edited_by_hand(again)
    assert read_record(again) == now


def test_a_thyroid_under_a_scaling_transform_is_measured_as_it_is_until_the_transform_is_removed(scene, node, record):
    scaled(scene, node)
    assert measure_again(node)
    assert read_record(node).measured["volume_ml"] == pytest.approx(8 * record.measured["volume_ml"], rel=1e-3)
    node.SetAndObserveTransformNodeID(None)
    assert not is_edited_by_hand(node)
    assert measure_again(node)
    assert read_record(node) == record


def test_a_change_by_python_is_noticed_until_it_is_undone(node, own_surface, record):
    stored = node.GetSegmentation().GetSegment(SEGMENT_ID).GetRepresentation("Closed surface")
    before = type(stored)()
    before.DeepCopy(stored)
    stored.DeepCopy(polydata_of(smaller(own_surface, 1.1)))
    assert measure_again(node)
    assert read_record(node).measured["volume_ml"] == pytest.approx(1.331 * record.measured["volume_ml"], rel=1e-3)
    stored.DeepCopy(before)
    assert measure_again(node)
    assert read_record(node) == record


def test_a_thyroid_whose_segment_was_removed_has_no_volume(node):
    node.GetSegmentation().RemoveSegment(SEGMENT_ID)
    assert measure_again(node)
    assert read_record(node).measured["volume_ml"] == 0
    assert not read_record(node).valid


def test_a_thyroid_that_was_edited_by_hand_is_not_overwritten(node, loaded, own_surface):
    erase_half(node, loaded.ct)
    before = surface_of_segment(node, SEGMENT_ID)
    with pytest.raises(InputError, match="edited by hand"):
        replace_surface(node, own_surface)
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, before.vertices)


def test_a_thyroid_beside_one_that_was_edited_by_hand_has_its_position(
    scene, node, loaded, own_surface, record, motion
):
    import slicer

    slicer.util.updateTransformMatrixFromArray(start_moving(node), motion)
    erase_half(node, loaded.ct)
    before = surface_of_segment(node, SEGMENT_ID)
    new = add_beside(node, "New", own_surface, ct=loaded.ct, record=record)
    np.testing.assert_allclose(surface_of_segment(new, SEGMENT_ID).bounds, own_surface.bounds, atol=1e-2)
    np.testing.assert_allclose(read_record(new).placement.trachea_to_ras, record.placement.trachea_to_ras, atol=1e-9)
    assert motion_of(new) == pytest.approx(motion_of(node))
    assert new.GetTransformNodeID() != node.GetTransformNodeID()
    assert not is_edited_by_hand(new)
    assert not node.GetDisplayNode().GetVisibility()
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, before.vertices)


def test_a_thyroid_that_was_edited_by_hand_is_restored_as_it_was(scene, node, loaded):
    erase_half(node, loaded.ct)
    node.GetSegmentation().AddEmptySegment("nodule", "nodule")
    measure_again(node)
    before, surface = read_record(node), surface_of_segment(node, SEGMENT_ID)
    again = restore_thyroid(scene, remove_thyroid(node), ct=loaded.ct)
    assert read_record(again) == before
    assert is_edited_by_hand(again)
    assert not measure_again(again)
    np.testing.assert_array_equal(surface_of_segment(again, SEGMENT_ID).vertices, surface.vertices)
    assert again.GetSegmentation().GetSegmentIDs() == (SEGMENT_ID, "nodule")


def test_a_thyroid_of_the_segment_editor_can_be_moved(node, loaded, own_surface):
    erase_half(node, loaded.ct)
    node.RemoveClosedSurfaceRepresentation()
    lower, upper = own_surface.bounds
    np.testing.assert_allclose(start_moving(node).GetCenterOfTransformation(), (lower + upper) / 2, atol=2.0)


def test_a_moved_thyroid_is_restored_at_its_place_after_its_transform_was_removed(scene, node, loaded, motion):
    import slicer

    transform = start_moving(node)
    slicer.util.updateTransformMatrixFromArray(transform, motion)
    placement, bounds = read_record(node).placement.trachea_to_ras, surface_of_segment(node, SEGMENT_ID).bounds
    removed = remove_thyroid(node)
    scene.RemoveNode(transform)
    again = restore_thyroid(scene, removed, ct=loaded.ct)
    np.testing.assert_allclose(read_record(again).placement.trachea_to_ras, placement, atol=1e-6)
    np.testing.assert_allclose(surface_of_segment(again, SEGMENT_ID).bounds, bounds, atol=1e-2)
