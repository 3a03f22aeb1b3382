"""Nodes of generated thyroids: contents, replacing the surface, saving."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.slicer.scene.terminology import COLOURS
from ThyroidSynthLib.slicer.scene.thyroids.collection import add_beside
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import (
    GENERATED_COLOUR,
    KIND_COLOURS,
    SEGMENT_ID,
    add_generated_thyroid,
    colour_of,
    generated_thyroids,
    is_generated,
    replace_surface,
)
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment


@pytest.fixture
def generated(scene, loaded, own_surface, record):
    return add_generated_thyroid(scene, "Generated thyroid", own_surface, ct=loaded.ct, record=record)


def test_the_surface_is_the_source_representation_and_unchanged(generated, own_surface):
    assert generated.GetSegmentation().GetSourceRepresentationName() == "Closed surface"
    assert not generated.GetSegmentation().ContainsRepresentation("Binary labelmap")
    found = surface_of_segment(generated, SEGMENT_ID)
    assert found.volume == pytest.approx(own_surface.volume, rel=1e-4)
    assert len(found.faces) == len(own_surface.faces)


def test_the_segment_is_marked_as_thyroid_and_refers_to_the_ct(generated, loaded, scene):
    import slicer

    segment = generated.GetSegmentation().GetSegment(SEGMENT_ID)
    assert segment.GetName() == "thyroid gland"
    assert "SCT^69748006" in segment.GetTerminology()
    assert generated.GetNodeReference(generated.GetReferenceImageGeometryReferenceRole()) is loaded.ct
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert hierarchy.GetItemByDataNode(generated) != hierarchy.GetInvalidItemID()


def test_the_node_is_in_the_study_of_its_ct(scene, loaded, own_surface):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(loaded.ct), study)
    node = add_generated_thyroid(scene, "g", own_surface, ct=loaded.ct)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_thyroids_of_one_scene_have_the_colour_of_their_kind_and_their_own_names(scene, own_surface):
    nodes = [add_generated_thyroid(scene, "g", own_surface) for _ in range(3)]
    assert {colour_of(node) for node in nodes} == {GENERATED_COLOUR}
    assert len({node.GetName() for node in nodes}) == 3
    assert generated_thyroids(scene) == nodes
    kinds = np.array([COLOURS[THYROID], *KIND_COLOURS])
    apart = np.linalg.norm(kinds[:, None] - kinds[None], axis=2) + 9 * np.eye(4)
    assert apart.min() > 0.3


def test_a_colour_that_the_user_gave_stays(generated, own_surface):
    generated.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(0.1, 0.2, 0.3)
    replace_surface(generated, own_surface)
    assert colour_of(generated) == pytest.approx((0.1, 0.2, 0.3))
    assert colour_of(add_beside(generated, "g", own_surface, ct=None, record=None)) == pytest.approx((0.1, 0.2, 0.3))


def test_replacing_the_surface_removes_a_label_map(generated, own_surface):
    generated.CreateBinaryLabelmapRepresentation()
    centre = own_surface.vertices.mean(axis=0)
    replace_surface(generated, own_surface.moved(centre + (own_surface.vertices - centre) / 2))
    assert not generated.GetSegmentation().ContainsRepresentation("Binary labelmap")
    assert surface_of_segment(generated, SEGMENT_ID).volume == pytest.approx(own_surface.volume / 8, rel=1e-3)


def test_replacing_the_surface_redraws_every_view_and_changes_no_copy(slicer_app, scene, generated, own_surface):
    views = [slicer_app.view(name) for name in ("Red", "Green", "Yellow", "1")]
    copy = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    copy.CopyContent(generated)
    for view in views:
        view.render()
    centre = own_surface.vertices.mean(axis=0)
    replace_surface(generated, own_surface.moved(centre + (own_surface.vertices - centre) / 2))
    assert all(view.requested_renders for view in views)
    assert surface_of_segment(copy, SEGMENT_ID).volume == pytest.approx(own_surface.volume, rel=1e-3)


def test_a_surface_replaced_under_a_transform_is_at_its_place(generated, own_surface, transform):
    generated.SetAndObserveTransformNodeID(transform.GetID())
    replace_surface(generated, own_surface)
    found = surface_of_segment(generated, SEGMENT_ID)
    np.testing.assert_allclose(found.bounds, own_surface.bounds, atol=1e-2)


def test_the_patients_own_segmentation_is_never_replaced(loaded, own_surface):
    before = volume_of_segment(loaded.segmentation, "thyroid_gland").array.sum()
    with pytest.raises(InputError, match="not a thyroid made by"):
        replace_surface(loaded.segmentation, own_surface)
    assert volume_of_segment(loaded.segmentation, "thyroid_gland").array.sum() == before


def test_surface_and_record_are_saved_with_the_scene(scene, generated, own_surface, record, tmp_path):
    import slicer

    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    slicer.util.loadScene(path)
    (again,) = generated_thyroids(scene)
    assert is_generated(again)
    assert read_record(again) == record
    assert surface_of_segment(again, SEGMENT_ID).volume == pytest.approx(own_surface.volume, rel=1e-3)
