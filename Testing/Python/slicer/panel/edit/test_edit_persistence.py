"""Edits that are cancelled or reopened, or whose patient is changed, removed or exchanged."""

from __future__ import annotations

import numpy as np
import pytest

from support.edit_hands import change_volume, edited_surface, settle
from support.panel_hands import on_progress
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

GLAND = "thyroid_gland"


def test_a_cancelled_fit_adds_nothing_to_the_scene(ready, monkeypatch):
    done = on_progress(monkeypatch, "Fitting, round", lambda: ready.cancelButton.click())
    ready.click("fitButton")
    assert done
    assert ready.parameters.edited is None
    assert not generated_thyroids(ready.app.scene)
    assert ready.fitButton.enabled


def test_closing_the_scene_during_a_fit_ends_the_fit(ready, monkeypatch):
    import slicer

    done = on_progress(monkeypatch, "Fitting, round", lambda: slicer.mrmlScene.Clear(False))
    ready.click("fitButton")
    assert done
    assert not generated_thyroids(ready.app.scene)
    assert ready.parameters.edited is None
    assert ready.module.widget.panel.edit.edit is None
    assert not ready.fitButton.enabled


def test_closing_the_scene_during_a_change_ends_the_edit(fitted, monkeypatch):
    import slicer

    done = on_progress(monkeypatch, "Steering", lambda: slicer.mrmlScene.Clear(False))
    fitted.editVolumeSlider.value = 1.3 * fitted.editVolumeSlider.value
    fitted.wait(lambda: done)
    fitted.app.process_events()
    assert not generated_thyroids(fitted.app.scene)
    assert fitted.module.widget.panel.edit.edit is None


def test_cancel_reverts_the_change(fitted, monkeypatch):
    own = edited_surface(fitted).vertices
    done = on_progress(monkeypatch, "Steering", lambda: fitted.cancelButton.click())
    change_volume(fitted, 1.3)
    assert done
    np.testing.assert_array_equal(edited_surface(fitted).vertices, own)
    assert not fitted.undoButton.enabled
    assert read_record(fitted.parameters.edited).targets == {}


def test_moving_a_slider_again_replaces_the_targets_that_are_being_met(fitted, monkeypatch):
    start = fitted.editVolumeSlider.value

    def move_on():
        fitted.editVolumeSlider.value = 1.1 * start

    done = on_progress(monkeypatch, "Steering", move_on)
    fitted.editVolumeSlider.value = 1.3 * start
    fitted.wait(lambda: done)
    settle(fitted)
    record = read_record(fitted.parameters.edited)
    assert record.targets["volume_ml"] == pytest.approx(1.1 * start, abs=0.06)
    fitted.click("undoButton")
    assert not fitted.undoButton.enabled


def test_undo_while_targets_are_being_met_reverts_only_that_move(fitted, monkeypatch):
    change_volume(fitted, 1.1)
    before = read_record(fitted.parameters.edited)
    done = on_progress(monkeypatch, "Steering", lambda: fitted.undoButton.click())
    change_volume(fitted, 1.2)
    assert done
    assert read_record(fitted.parameters.edited) == before
    assert not fitted.redoButton.enabled


def test_an_edit_in_a_saved_scene_resumes_without_another_fit(fitted, tmp_path, monkeypatch):
    from ThyroidSynthLib.generation.edit import editing

    change_volume(fitted, 1.15)
    changed = edited_surface(fitted)
    record = read_record(fitted.parameters.edited)
    table = [[fitted.editTable.item(row, column).text() for column in range(3)] for row in range(3)]
    text = fitted.fitLabel.text
    fitted.holdSymmetryCheckBox.click()
    path = fitted.save_and_close(tmp_path)
    assert fitted.editTable.item(0, 0).text() == "–"
    fitted.open_scene(path)
    assert read_record(fitted.parameters.edited) == record
    assert fitted.fitLabel.text == text
    assert [[fitted.editTable.item(row, column).text() for column in range(3)] for row in range(3)] == table
    assert fitted.editVolumeSlider.value == pytest.approx(record.targets["volume_ml"], abs=0.051)
    assert not fitted.holdSymmetryCheckBox.checked
    assert fitted.undoButton.enabled
    assert fitted.parameters.segmentation.GetDisplayNode().GetSegmentVisibility(GLAND)

    def refuse(*_arguments, **_keywords):
        raise AssertionError("the thyroid was fitted again")

    monkeypatch.setattr(editing, "fit_mask", refuse)
    fitted.click("undoButton")
    assert read_record(fitted.parameters.edited).measured == pytest.approx(record.original, rel=1e-4)
    fitted.click("redoButton")
    np.testing.assert_allclose(edited_surface(fitted).vertices, changed.vertices, atol=1e-3)
    fitted.editVolumeSlider.value = 1.1 * record.original["volume_ml"]
    settle(fitted)
    assert read_record(fitted.parameters.edited).measured["volume_ml"] == pytest.approx(
        1.1 * record.original["volume_ml"], rel=0.03
    )


def test_moving_a_slider_in_a_reopened_scene_resumes_the_edit(fitted, tmp_path):
    fitted.open_scene(fitted.save_and_close(tmp_path))
    assert fitted.module.widget.panel.edit.edit is None
    target = round(1.1 * fitted.editVolumeSlider.value, 1)
    fitted.editVolumeSlider.value = target
    settle(fitted)
    assert read_record(fitted.parameters.edited).targets["volume_ml"] == pytest.approx(target)


def test_an_edit_is_not_resumed_with_another_model(fitted, tmp_path, model_file):
    fitted.open_scene(fitted.save_and_close(tmp_path))
    other = tmp_path / "other.safetensors"
    _other_model(model_file, other)
    fitted.choose_model(other)
    record = read_record(fitted.parameters.edited)
    fitted.app.dialogs.expect("error", "another shape model")
    fitted.editVolumeSlider.value = 1.1 * fitted.editVolumeSlider.value
    settle(fitted)
    assert read_record(fitted.parameters.edited) == record


def _other_model(source, target):
    from dataclasses import replace

    from ThyroidSynthLib.model.trained_model import TrainedModel

    model = TrainedModel.load(source)
    replace(model, provenance={**model.provenance, "licence": "another"}).save(target)


def paint(segmentation, segment_id):
    import slicer

    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id).copy()
    array[array.shape[0] // 2 :] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, segment_id)


def test_changing_the_patients_thyroid_suspends_the_edit_and_keeps_its_node(fitted):
    change_volume(fitted, 1.15)
    record = read_record(fitted.parameters.edited)
    paint(fitted.parameters.segmentation, GLAND)
    fitted.app.process_events()
    assert "changed after it was fitted" in fitted.editWarningLabel.text
    assert not fitted.editVolumeSlider.enabled
    assert not fitted.undoButton.enabled
    assert fitted.keepButton.enabled
    assert read_record(fitted.parameters.edited) == record
    before = fitted.parameters.edited
    fitted.click("fitButton")
    fitted.app.process_events()
    assert fitted.editVolumeSlider.enabled
    assert fitted.parameters.edited is not before
    assert read_record(before) == record
    assert read_record(fitted.parameters.edited).original["volume_ml"] < 0.9 * record.original["volume_ml"]


def test_an_edit_is_not_resumed_after_the_patients_thyroid_was_changed(fitted, tmp_path):
    fitted.open_scene(fitted.save_and_close(tmp_path))
    paint(fitted.parameters.segmentation, GLAND)
    fitted.app.process_events()
    fitted.app.dialogs.expect("error", "changed after it was fitted")
    fitted.editVolumeSlider.value = 1.1 * fitted.editVolumeSlider.value
    settle(fitted)
    assert read_record(fitted.parameters.edited).targets == {}


def test_changing_the_trachea_does_not_end_the_edit(fitted):
    paint(fitted.parameters.segmentation, "trachea")
    fitted.app.process_events()
    assert fitted.editVolumeSlider.enabled
    change_volume(fitted, 1.1)
    assert read_record(fitted.parameters.edited).targets


def test_removing_the_patient_ends_the_edit(fitted):
    change_volume(fitted, 1.15)
    fitted.app.scene.RemoveNode(fitted.parameters.segmentation)
    fitted.app.process_events()
    assert "was removed" in fitted.editWarningLabel.text
    assert not fitted.editVolumeSlider.enabled
    fitted.click("keepButton")
    assert [node.GetName() for node in generated_thyroids(fitted.app.scene)] == ["Thyroid (edited)"]


def test_changing_the_patients_thyroid_during_a_move_reverts_the_move(fitted):
    own = edited_surface(fitted).vertices
    fitted.editVolumeSlider.value = 1.3 * fitted.editVolumeSlider.value
    fitted.app.process_events()
    paint(fitted.parameters.segmentation, GLAND)
    settle(fitted)
    np.testing.assert_array_equal(edited_surface(fitted).vertices, own)
    assert not fitted.editVolumeSlider.enabled


def test_a_new_fit_is_possible_after_the_edited_node_was_removed(fitted):
    fitted.app.scene.RemoveNode(fitted.parameters.edited)
    fitted.app.process_events()
    assert not fitted.keepButton.enabled
    assert fitted.parameters.segmentation.GetDisplayNode().GetSegmentVisibility(GLAND)
    fitted.click("fitButton")
    assert fitted.parameters.edited is not None


def test_a_second_fit_reuses_the_node_unless_it_holds_changes(fitted):
    first = fitted.parameters.edited
    fitted.click("fitButton")
    assert fitted.parameters.edited is first
    change_volume(fitted, 1.15)
    fitted.click("fitButton")
    assert fitted.parameters.edited is not first
    assert read_record(first).targets


def test_an_edit_pauses_while_another_patient_is_chosen(fitted, dataset):
    change_volume(fitted, 1.15)
    mine, segmentation = fitted.parameters.edited, fitted.parameters.segmentation
    fitted.load(dataset)
    fitted.app.process_events()
    assert "another thyroid" in fitted.editWarningLabel.text
    assert not fitted.editVolumeSlider.enabled
    fitted.segmentationSelector.setCurrentNode(segmentation)
    fitted.app.process_events()
    assert fitted.editVolumeSlider.enabled
    assert fitted.undoButton.enabled
    assert fitted.parameters.edited is mine


def test_the_edit_and_its_history_survive_leaving_the_module(fitted):
    change_volume(fitted, 1.15)
    fitted.module.leave()
    fitted.module.select()
    fitted.app.process_events()
    assert fitted.undoButton.enabled
    fitted.click("undoButton")
    assert read_record(fitted.parameters.edited).targets == {}


def test_leaving_the_module_during_a_move_reverts_it(fitted):
    node = fitted.parameters.edited
    own = surface_of_segment(node, SEGMENT_ID).vertices
    fitted.editVolumeSlider.value = 1.3 * fitted.editVolumeSlider.value
    fitted.app.process_events()
    assert surface_of_segment(node, SEGMENT_ID).vertices.shape != own.shape
    fitted.module.leave()
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, own)


def test_an_edit_under_a_transform_stays_where_it_was_moved_to(fitted):
    import vtk

    node = fitted.parameters.edited
    transform = fitted.app.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Move")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(2, 3, 30.0)
    transform.SetMatrixTransformToParent(shift)
    before = surface_of_segment(node, SEGMENT_ID).vertices.mean(axis=0)
    node.SetAndObserveTransformNodeID(transform.GetID())
    change_volume(fitted, 1.1)
    after = surface_of_segment(node, SEGMENT_ID).vertices.mean(axis=0)
    np.testing.assert_allclose(after - before, [0, 0, 30], atol=1.5)
    record = read_record(node)
    own = fitted.module.widget.panel.edit.edit.placement.trachea_to_ras
    np.testing.assert_allclose(record.placement.trachea_to_ras[:3, 3] - own[:3, 3], [0, 0, 30], atol=1e-6)


def test_a_thyroid_given_as_a_surface_can_be_edited(ready):
    import slicer

    segmentation = ready.parameters.segmentation
    slicer_segmentation = segmentation.GetSegmentation()
    segmentation.CreateClosedSurfaceRepresentation()
    slicer_segmentation.SetSourceRepresentationName("Closed surface")
    segmentation.RemoveBinaryLabelmapRepresentation()
    ready.app.process_events()
    assert not slicer_segmentation.GetSegment(GLAND).GetRepresentation("Binary labelmap")
    ready.click("fitButton")
    change_volume(ready, 1.1)
    record = read_record(ready.parameters.edited)
    assert record.measured["volume_ml"] == pytest.approx(1.1 * record.original["volume_ml"], rel=0.03)
    assert not slicer_segmentation.GetSegment(GLAND).GetRepresentation("Binary labelmap")
    assert slicer.mrmlScene.IsNodePresent(segmentation)
