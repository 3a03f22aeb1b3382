"""Thyroids as a collection, flipped, coloured by distance, and shown anonymously to a reader."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from standin.strictness import node_ids
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.slicer.scene.display import distance_map, study_case
from ThyroidSynthLib.slicer.scene.display.flip import Flip, Shown, end_saved_flip
from ThyroidSynthLib.slicer.scene.thyroids import collection
from ThyroidSynthLib.slicer.scene.thyroids.records import SOURCE_ROLE, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, add_generated_thyroid, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment


@pytest.fixture
def three(scene, loaded, own_surface, record):
    records = [replace(record, seed=seed) for seed in range(3)]
    return [add_generated_thyroid(scene, f"Thyroid {each.seed}", own_surface, record=each) for each in records]


def test_one_or_all_are_shown(scene, three):
    collection.show_only(scene, three[1])
    assert collection.visible_thyroids(scene) == [three[1]]
    collection.show_all(scene)
    assert collection.visible_thyroids(scene) == three


def test_a_removed_thyroid_leaves_no_node_and_is_restored_unchanged(scene, loaded, three, own_surface, record):
    node = three[1]
    node.SetNodeReferenceID(SOURCE_ROLE, loaded.segmentation.GetID())
    colour = node.GetSegmentation().GetSegment(SEGMENT_ID).GetColor()
    ids = {node.GetID(), node.GetDisplayNodeID()}
    removed = collection.remove_thyroid(node)
    assert not ids & node_ids(scene)
    assert len(generated_thyroids(scene)) == 2
    back = collection.restore_thyroid(scene, removed, ct=loaded.ct)
    assert back.GetName() == "Thyroid 1"
    assert read_record(back) == replace(record, seed=1)
    assert back.GetSegmentation().GetSegment(SEGMENT_ID).GetColor() == colour
    assert back.GetNodeReference(SOURCE_ROLE) is loaded.segmentation
    np.testing.assert_allclose(surface_of_segment(back, SEGMENT_ID).volume, own_surface.volume, rtol=1e-4)


def test_a_thyroid_moved_by_hand_is_restored_under_its_transform(scene, three, transform):
    node = three[0]
    node.SetAndObserveTransformNodeID(transform.GetID())
    before, record = surface_of_segment(node, SEGMENT_ID), read_record(node)
    in_frame = collection.surface_in_trachea_frame(node)
    back = collection.restore_thyroid(scene, collection.remove_thyroid(node))
    assert back.GetParentTransformNode() is transform
    np.testing.assert_allclose(surface_of_segment(back, SEGMENT_ID).bounds, before.bounds, atol=1e-3)
    assert read_record(back) == record
    np.testing.assert_allclose(collection.surface_in_trachea_frame(back).bounds, in_frame.bounds, atol=1e-3)


def test_flipping_shows_one_at_a_time_and_restores_the_display(scene, loaded, three):
    own = loaded.segmentation.GetDisplayNode()
    own.SetSegmentOpacity3D("thyroid_gland", 0.35)
    own.SetSegmentVisibility2DFill("thyroid_gland", False)
    contents = loaded.segmentation.GetSegmentation().GetMTime()
    flip = Flip(Shown(three[0], SEGMENT_ID), Shown(loaded.segmentation, "thyroid_gland"))
    made = three[0].GetDisplayNode()
    assert made.GetSegmentVisibility(SEGMENT_ID)
    assert not own.GetSegmentVisibility("thyroid_gland")
    flip.turn()
    assert not made.GetSegmentVisibility(SEGMENT_ID)
    assert own.GetSegmentVisibility("thyroid_gland")
    assert own.GetSegmentOpacity3D("thyroid_gland") == made.GetSegmentOpacity3D(SEGMENT_ID) == 1.0
    assert own.GetSegmentVisibility("trachea")
    flip.end()
    assert made.GetSegmentVisibility(SEGMENT_ID)
    assert own.GetSegmentOpacity3D("thyroid_gland") == pytest.approx(0.35)
    assert not own.GetSegmentVisibility2DFill("thyroid_gland")
    assert loaded.segmentation.GetSegmentation().GetMTime() == contents


def test_a_scene_saved_during_a_flip_is_as_before_it_when_it_is_opened(scene, loaded, three, tmp_path):
    import slicer

    own = loaded.segmentation.GetDisplayNode()
    own.SetSegmentVisibility3D("thyroid_gland", False)
    Flip(Shown(three[0], SEGMENT_ID), Shown(loaded.segmentation, "thyroid_gland"))
    assert not own.GetSegmentVisibility("thyroid_gland")
    names = loaded.segmentation.GetName(), three[0].GetName()
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    slicer.util.loadScene(path)

    end_saved_flip(scene)

    patient, made = (slicer.util.getNode(name).GetDisplayNode() for name in names)
    assert patient.GetSegmentVisibility("thyroid_gland")
    assert not patient.GetSegmentVisibility3D("thyroid_gland")
    assert made.GetSegmentVisibility(SEGMENT_ID)
    # Once: afterwards the user decides.
    patient.SetSegmentVisibility("thyroid_gland", False)
    end_saved_flip(scene)
    assert not patient.GetSegmentVisibility("thyroid_gland")


def test_flipping_survives_the_removal_of_one(scene, loaded, three):
    flip = Flip(Shown(three[0], SEGMENT_ID), Shown(loaded.segmentation, "thyroid_gland"))
    collection.remove_thyroid(three[0])
    flip.turn()
    flip.end()


def test_a_distance_map_has_symmetric_colours_and_a_legend(scene, own_surface, slicer_app):
    before = node_ids(scene)
    values = np.linspace(-3.0, 2.0, len(own_surface.vertices))
    model = distance_map.show_distance_map(
        scene, "Distance", own_surface, values, range_mm=3.0, legend="mm from the patient's own"
    )
    display = model.GetDisplayNode()
    assert display.GetScalarRange() == (-3.0, 3.0)
    assert display.GetScalarVisibility()
    assert display.GetVisibility2D()
    assert model.GetPolyData().GetPointData().GetScalars().GetRange() == pytest.approx((-3.0, 2.0))
    colours = display.GetColorNode()
    ends = [colours.GetLookupTable().GetTableValue(index)[:3] for index in (0, 127, 255)]
    assert ends[0][2] > ends[0][0] + 0.3
    assert min(ends[1]) > 0.9
    assert ends[2][0] > ends[2][2] + 0.3
    assert distance_map.distance_map_of(scene) is model
    again = distance_map.show_distance_map(scene, "Distance", own_surface, values, range_mm=1.0, legend="mm")
    assert again is model
    assert len(node_ids(scene) - before) == 4  # model, display, legend, colours
    distance_map.remove_distance_map(scene)
    assert node_ids(scene) == before
    distance_map.remove_distance_map(scene)


def test_the_distance_map_and_its_legend_are_drawn(scene, loaded, own_surface, slicer_app):
    from ThyroidSynthLib.slicer.scene.display.overlay import jump_slices, look_from_front

    loaded.segmentation.GetDisplayNode().SetVisibility(False)
    slicer_app.view("1")  # its camera is there from then on
    lower, upper = own_surface.bounds
    jump_slices(scene, (lower + upper) / 2)
    look_from_front(scene, (lower + upper) / 2, float((upper - lower).max()))
    values = own_surface.vertices[:, 0] - own_surface.vertices[:, 0].mean()
    plain = {name: slicer_app.view(name).grab().astype(int) for name in ("1", "Red")}
    distance_map.show_distance_map(scene, "Distance", own_surface, values, range_mm=10.0, legend="mm")
    for name, before in plain.items():
        drawn = slicer_app.view(name).grab().astype(int)
        changed = np.abs(drawn - before).max(axis=2) > 40
        red = changed & (drawn[..., 0] > drawn[..., 2] + 60)
        blue = changed & (drawn[..., 2] > drawn[..., 0] + 60)
        assert red[:, :300].sum() > 20, name
        assert blue[:, :300].sum() > 20, name
        assert changed[:, 330:].sum() > 200, f"no legend in {name}"


def test_a_shape_of_a_study_is_anonymous_and_not_saved(scene, own_surface, three):
    display = study_case.StudyDisplay(scene, ct=None, size_mm=80.0)
    display.show(own_surface)
    node = study_case.shown_shape(scene)
    assert node.GetName() == node.GetSegmentation().GetNthSegment(0).GetName() == "Shape of the reader study"
    assert node.GetHideFromEditors()
    assert not node.GetSaveWithScene()
    assert node not in generated_thyroids(scene)
    assert not any(each.GetDisplayNode().GetVisibility() for each in generated_thyroids(scene))
    display.show(own_surface)
    assert study_case.shown_shape(scene) is node
    assert node.GetSegmentation().GetNumberOfSegments() == 1
    with pytest.raises(InputError, match="running already"):
        study_case.StudyDisplay(scene, ct=None, size_mm=80.0)
    display.end()
    assert study_case.shown_shape(scene) is None
    assert all(each.GetDisplayNode().GetVisibility() for each in generated_thyroids(scene))
