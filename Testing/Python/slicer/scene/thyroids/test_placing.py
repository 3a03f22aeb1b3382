"""A thyroid moved by hand: handles, record and measurements, and moving it back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.slicer.scene.thyroids.placing import (
    back_to_trachea,
    is_moving,
    motion_of,
    placed,
    remove_unused_positions,
    start_moving,
    stop_moving,
)
from ThyroidSynthLib.slicer.scene.thyroids.records import moved_by, read_record, write_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, add_generated_thyroid, replace_surface
from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient, surface_of_segment


@pytest.fixture
def placement(loaded) -> Placement:
    return placement_of_patient(loaded.segmentation, "trachea", "thyroid_gland", "upright")


@pytest.fixture
def thyroid(scene, loaded, own_surface, placement, record):
    """The patient's own gland as if it had been generated."""
    record = replace(record, trachea_to_ras=tuple(placement.trachea_to_ras.ravel().tolist()))
    return add_generated_thyroid(scene, "Thyroid", own_surface, ct=loaded.ct, record=record)


def a_motion() -> np.ndarray:
    angle = np.radians(20.0)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = [4.0, -7.0, 11.0]
    return matrix


def move(transform, matrix: np.ndarray) -> None:
    import slicer

    slicer.util.updateTransformMatrixFromArray(transform, matrix)


def measured_in_scene(node) -> np.ndarray:
    record = read_record(node)
    surface = surface_of_segment(node, SEGMENT_ID)
    return measure_features(surface.moved(record.placement.to_trachea(surface.vertices))).as_array()


def test_handles_are_shown_at_the_gland_and_hidden(thyroid, own_surface):
    transform = start_moving(thyroid)
    assert is_moving(thyroid)
    assert thyroid.GetParentTransformNode() is transform
    lower, upper = own_surface.bounds
    np.testing.assert_allclose(transform.GetCenterOfTransformation(), (lower + upper) / 2, atol=1e-3)
    assert not transform.GetDisplayNode().GetEditorScalingEnabled()
    assert start_moving(thyroid) is transform
    stop_moving(thyroid)
    assert not is_moving(thyroid)
    assert thyroid.GetParentTransformNode() is transform


def test_placement_moves_with_the_thyroid_and_features_stay(thyroid, placement):
    before = measured_in_scene(thyroid)
    move(start_moving(thyroid), a_motion())
    np.testing.assert_allclose(moved_by(thyroid), a_motion())
    np.testing.assert_allclose(read_record(thyroid).placement.trachea_to_ras, a_motion() @ placement.trachea_to_ras)
    np.testing.assert_allclose(measured_in_scene(thyroid), before, rtol=1e-3)
    np.testing.assert_allclose(placed(thyroid, placement).trachea_to_ras, read_record(thyroid).placement.trachea_to_ras)
    assert motion_of(thyroid)[1] == pytest.approx(20.0)


def test_a_record_written_while_moved_is_right_after_moving_back(thyroid, placement, own_surface):
    first = read_record(thyroid)
    move(start_moving(thyroid), a_motion())
    here = placed(thyroid, placement)
    replace_surface(
        thyroid,
        own_surface.moved(here.to_ras(placement.to_trachea(own_surface.vertices))),
        record=replace(read_record(thyroid), seed=4),
    )
    back_to_trachea(thyroid)
    assert thyroid.GetParentTransformNode() is None
    assert motion_of(thyroid) == (0.0, 0.0)
    found = read_record(thyroid)
    assert found.seed == 4
    np.testing.assert_allclose(found.trachea_to_ras, first.trachea_to_ras, atol=1e-9)
    back = surface_of_segment(thyroid, SEGMENT_ID)
    # The order of the vertices depends on the orientation in which they were read.
    assert cKDTree(back.vertices).query(own_surface.vertices)[0].max() < 0.01
    assert back.volume == pytest.approx(own_surface.volume, rel=1e-5)


def test_unused_transforms_are_removed(scene, thyroid):
    classes = ("vtkMRMLLinearTransformNode", "vtkMRMLTransformDisplayNode")
    counts = [scene.GetNumberOfNodesByClass(each) for each in classes]
    before = scene.GetNumberOfNodes()
    start_moving(thyroid)
    assert scene.GetNumberOfNodes() > before
    back_to_trachea(thyroid)
    back_to_trachea(thyroid)
    assert scene.GetNumberOfNodes() == before
    start_moving(thyroid)
    remove_unused_positions(scene)
    assert is_moving(thyroid)
    scene.RemoveNode(thyroid)
    remove_unused_positions(scene)
    assert [scene.GetNumberOfNodesByClass(each) for each in classes] == counts


def test_a_transform_of_the_users_stays_and_is_applied(scene, thyroid, placement):
    users = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Table")
    move(users, a_motion())
    thyroid.SetAndObserveTransformNodeID(users.GetID())
    start_moving(thyroid)
    np.testing.assert_allclose(moved_by(thyroid), a_motion())
    back_to_trachea(thyroid)
    assert thyroid.GetParentTransformNode() is users


def test_a_transform_that_scales_does_not_change_the_placement(scene, thyroid, placement):
    first = read_record(thyroid)
    users = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Scaling")
    move(users, np.diag([1.2, 1.0, 1.0, 1.0]))
    thyroid.SetAndObserveTransformNodeID(users.GetID())
    assert read_record(thyroid) == first
    write_record(thyroid, first)
    assert read_record(thyroid) == first
