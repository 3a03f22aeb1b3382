"""A held feature keeps what is there now; no preview stays behind; only the edited gland is opaque."""

from __future__ import annotations

import numpy as np
import pytest

from support.edit_hands import change_volume, drag, edited_surface, fit, settle
from support.panel_hands import on_progress
from ThyroidSynthLib.slicer.scene.nodes import nodes_of
from ThyroidSynthLib.slicer.scene.thyroids.collection import is_visible
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

GLAND = "thyroid_gland"


def places(hands) -> list:
    import slicer

    slices = [
        slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist()
        for node in nodes_of(hands.app.scene, "vtkMRMLSliceNode")
    ]
    (camera,) = nodes_of(hands.app.scene, "vtkMRMLCameraNode")
    return [*slices, camera.GetPosition(), camera.GetFocalPoint()]


def test_a_feature_that_was_missed_is_held_where_it_is_and_not_at_its_target(fitted):
    fitted.editSymmetrySlider.value = fitted.editSymmetrySlider.maximum
    settle(fitted)
    record = read_record(fitted.parameters.edited)
    assert not record.met
    now = record.measured["symmetry"]
    assert now < record.targets["symmetry"] - 0.02
    assert fitted.editSymmetrySlider.value == pytest.approx(now, abs=0.006)
    change_volume(fitted, 0.97)
    assert read_record(fitted.parameters.edited).targets["symmetry"] == pytest.approx(now)


def test_a_feature_that_is_locked_later_keeps_its_present_value(fitted):
    fitted.holdIsthmusAreaCheckBox.click()
    change_volume(fitted, 1.2)
    record = read_record(fitted.parameters.edited)
    now = record.measured["isthmus_area_mm2"]
    assert abs(now - record.original["isthmus_area_mm2"]) > 1
    fitted.holdIsthmusAreaCheckBox.click()
    change_volume(fitted, 1.05)
    assert read_record(fitted.parameters.edited).targets["isthmus_area_mm2"] == pytest.approx(now)


def test_held_features_do_not_drift_over_many_steps(fitted):
    first = read_record(fitted.parameters.edited).original["isthmus_area_mm2"]
    for factor in (1.05, 1.05, 0.95):
        change_volume(fitted, factor)
        assert read_record(fitted.parameters.edited).targets["isthmus_area_mm2"] == pytest.approx(first)


def test_a_fault_during_the_exact_result_leaves_no_preview(fitted, monkeypatch):
    own = edited_surface(fitted).vertices

    def fail():
        raise MemoryError

    on_progress(monkeypatch, "", fail)
    fitted.app.dialogs.expect("error", "memory")
    drag(fitted, "Volume", 1.6 * fitted.editVolumeSlider.value)
    settle(fitted)
    np.testing.assert_array_equal(edited_surface(fitted).vertices, own)
    assert read_record(fitted.parameters.edited).targets == {}


def test_a_scene_saved_during_a_drag_holds_the_exact_thyroid(fitted, tmp_path):
    import slicer

    own = edited_surface(fitted)
    drag(fitted, "Volume", 1.3 * fitted.editVolumeSlider.value)
    assert edited_surface(fitted).volume > 1.1 * own.volume
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    np.testing.assert_allclose(edited_surface(fitted).vertices, own.vertices)
    # The move goes on.
    settle(fitted)
    assert edited_surface(fitted).volume == pytest.approx(1.3 * own.volume, rel=0.03)


def test_fitting_hides_other_thyroids_until_the_module_is_left_and_moves_no_view(ready):
    ready.click("generateButton")
    (generated,) = generated_thyroids(ready.app.scene)
    before = places(ready)
    fit(ready)
    assert places(ready) == before
    edited = ready.parameters.edited
    assert (is_visible(generated), is_visible(edited)) == (False, True)
    own = ready.parameters.segmentation.GetDisplayNode()
    assert own.GetSegmentVisibility(GLAND)
    assert not own.GetSegmentVisibility3D(GLAND)
    ready.module.leave()
    assert is_visible(generated)
    assert own.GetSegmentVisibility3D(GLAND)
    ready.module.select()
    ready.app.process_events()
    assert (is_visible(generated), is_visible(edited)) == (False, True)
    assert not own.GetSegmentVisibility3D(GLAND)
    # Hidden by the user, the edit no longer covers the patient's own.
    edited.GetDisplayNode().SetVisibility(False)
    ready.wait(lambda: own.GetSegmentVisibility3D(GLAND))


def test_an_outline_beside_the_gland_brings_the_slices_to_it_when_fitting(ready):
    for node in nodes_of(ready.app.scene, "vtkMRMLSliceNode"):
        node.SetSliceOffset(node.GetSliceOffset() + 90.0)
    away = places(ready)
    fit(ready)
    moved = places(ready)
    assert all(new != old for new, old in zip(moved[:3], away[:3], strict=True))
    assert moved[3:] == away[3:]
    lower, upper = surface_of_segment(ready.parameters.edited, SEGMENT_ID).bounds
    for place in moved[:3]:
        centre = np.array(place)[:3, 3]
        assert ((lower < centre) & (centre < upper)).all()
