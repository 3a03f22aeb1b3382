"""Edited thyroids refer to the patient's gland, and changes of that gland are detected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.slicer.scene.thyroids.collection import remove_thyroid, restore_thyroid
from ThyroidSynthLib.slicer.scene.thyroids.edits import (
    PatientGland,
    add_edited_thyroid,
    edit_record,
    is_kept,
    keep,
    source_of,
)
from ThyroidSynthLib.slicer.scene.thyroids.records import EDITED, read_record, write_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import (
    COMPLETION_ID,
    EDITED_COLOUR,
    KEPT_COLOUR,
    SEGMENT_ID,
    add_generated_thyroid,
    colour_of,
    replace_surface,
    show_completion,
)
from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient, surface_of_segment

GLAND = "thyroid_gland"


@pytest.fixture
def record(record):
    return replace(
        record,
        kind=EDITED,
        fitted_code=(0.25, 1.0, 0.0),
        quality={"dice": 0.9},
        original={"volume_ml": 19.0, "isthmus_area_mm2": 50.0, "symmetry": 0.7},
        source_segment=GLAND,
    )


@pytest.fixture
def edited(scene, loaded, own_surface, record):
    return add_edited_thyroid(scene, "Edit", own_surface, loaded.segmentation, ct=loaded.ct, record=record)


def test_an_edited_thyroid_refers_to_the_patients_segmentation(edited, loaded, record):
    assert source_of(edited) is loaded.segmentation
    assert edit_record(edited) == read_record(edited) == record


def test_a_removed_patient_segmentation_is_no_longer_referred_to(edited, loaded, scene):
    scene.RemoveNode(loaded.segmentation)
    assert source_of(edited) is None


def test_a_node_that_is_no_edit_has_no_edit_record(edited, loaded, record):
    write_record(edited, replace(record, kind="generated", fitted_code=()))
    assert edit_record(edited) is None
    assert edit_record(loaded.segmentation) is None
    assert edit_record(None) is None


def test_reference_and_record_are_saved_with_the_scene(edited, scene, record, tmp_path):
    import slicer

    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    slicer.util.loadScene(path)
    node = slicer.util.getNode("Edit")
    assert source_of(node).GetName() == "s0000 segmentation"
    assert edit_record(node) == record


@pytest.fixture
def gland(loaded):
    return PatientGland(loaded.segmentation, GLAND)


def paint(segmentation, segment_id, value=1):
    """Fill the first corner of a segment's box, or clear its middle."""
    import slicer

    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id).copy()
    if value:
        array[:2, :2, :2] = 1
    else:
        array[tuple(n // 2 for n in array.shape)] = 0
        array[array.shape[0] // 2 :] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, segment_id)


def test_name_visibility_and_representations_do_not_change_a_gland(gland, loaded):
    assert gland.is_unchanged(loaded.segmentation)
    loaded.segmentation.GetSegmentation().GetSegment(GLAND).SetName("my gland")
    loaded.segmentation.GetDisplayNode().SetSegmentVisibility(GLAND, False)
    loaded.segmentation.CreateClosedSurfaceRepresentation()
    assert gland.is_unchanged(loaded.segmentation)


def test_painting_the_gland_changes_it_and_painting_another_segment_does_not(gland, loaded):
    paint(loaded.segmentation, "trachea", 0)
    assert gland.is_unchanged(loaded.segmentation)
    paint(loaded.segmentation, GLAND, 0)
    assert not gland.is_unchanged(loaded.segmentation)


def test_moving_the_patient_changes_the_gland(gland, loaded, scene, motion):
    import slicer

    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Move")
    loaded.segmentation.SetAndObserveTransformNodeID(transform.GetID())
    assert gland.is_unchanged(loaded.segmentation)
    slicer.util.updateTransformMatrixFromArray(transform, motion)
    assert not gland.is_unchanged(loaded.segmentation)


def test_a_removed_segment_or_segmentation_is_a_change(gland, loaded, scene):
    segmentation = loaded.segmentation
    assert not gland.is_unchanged(None)
    segmentation.GetSegmentation().RemoveSegment(GLAND)
    assert not gland.is_unchanged(segmentation)
    scene.RemoveNode(segmentation)
    assert not gland.is_unchanged(segmentation)


def test_a_change_of_a_gland_stored_as_surface_is_detected(scene, own_surface):
    node = add_generated_thyroid(scene, "Surface", own_surface)
    gland = PatientGland(node, SEGMENT_ID)
    assert gland.is_unchanged(node)
    centre = own_surface.vertices.mean(axis=0)
    replace_surface(node, own_surface.moved(centre + 1.2 * (own_surface.vertices - centre)))
    assert not gland.is_unchanged(node)


def test_a_gland_and_its_trachea_frame_are_read_without_islands(scene, own_surface):
    centre = own_surface.vertices.mean(axis=0)
    island = centre + 0.25 * (own_surface.vertices - centre) + [0.0, 0.0, 100.0]
    faces = np.concatenate([own_surface.faces, own_surface.faces + len(island)])
    detached = Surface(np.concatenate([own_surface.vertices, island]), faces)
    nodes = [add_generated_thyroid(scene, "Surface", surface) for surface in (own_surface, detached)]

    gland = PatientGland(nodes[1], SEGMENT_ID)
    # Segments share a label map: another one was modified, and this one still has its island.
    gland._stamp = ()
    assert gland.is_unchanged(nodes[1])
    clean, cleaned = (PatientGland(node, SEGMENT_ID).mask for node in nodes)
    assert cleaned.array.sum() == pytest.approx(clean.array.sum(), rel=0.01)
    assert np.abs(cleaned.center_of_mass_ras() - clean.center_of_mass_ras()).max() < 0.1
    clean, cleaned = (placement_of_patient(node, SEGMENT_ID) for node in nodes)
    np.testing.assert_allclose(cleaned.origin_ras, clean.origin_ras, atol=0.1)


def test_the_completion_beyond_the_scan_is_a_pale_segment_of_its_own(scene, own_surface):
    node = add_generated_thyroid(scene, "Cut", own_surface)
    beyond = own_surface.moved(own_surface.vertices + np.array([0.0, 0.0, 40.0]))
    for _ in range(2):
        show_completion(node, beyond)
    assert node.GetSegmentation().GetNumberOfSegments() == 2
    np.testing.assert_allclose(surface_of_segment(node, COMPLETION_ID).bounds, beyond.bounds, atol=1e-3)
    assert node.GetDisplayNode().GetSegmentOpacity3D(COMPLETION_ID) < 0.5

    replace_surface(node, own_surface)
    np.testing.assert_allclose(surface_of_segment(node, SEGMENT_ID).bounds, own_surface.bounds, atol=1e-3)
    show_completion(node, None)
    assert node.GetSegmentation().GetNumberOfSegments() == 1


def test_a_kept_edit_has_another_colour_unless_the_user_chose_one(scene, edited):
    assert colour_of(edited) == pytest.approx(EDITED_COLOUR)
    assert not is_kept(edited)
    keep(edited, "Kept")
    assert (edited.GetName(), is_kept(edited)) == ("Kept", True)
    assert colour_of(edited) == pytest.approx(KEPT_COLOUR)
    assert is_kept(restore_thyroid(scene, remove_thyroid(edited)))


def test_a_kept_edit_keeps_the_users_colour(edited):
    edited.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(0.1, 0.2, 0.3)
    keep(edited, "Kept")
    assert colour_of(edited) == pytest.approx((0.1, 0.2, 0.3))
