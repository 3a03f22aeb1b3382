"""Edits and what may happen to them: cancelled, reopened, their patient changed, removed or exchanged."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

GLAND = "thyroid_gland"


@pytest.fixture
def fitted(ready):
    ready.editCollapsible.collapsed = False
    ready.click("fitButton")
    ready.measured()
    ready.app.process_events()
    return ready


def section(hands):
    return hands.module.widget.panel.edit


def rest(hands):
    hands.wait(lambda: section(hands)._sliders.moved is None)
    hands.app.process_events()


def change_volume(hands, factor):
    hands.editVolumeSlider.value = factor * hands.editVolumeSlider.value
    rest(hands)


def on_progress(monkeypatch, title, act):
    """Do something in the middle of an operation."""
    from ThyroidSynthLib.slicer.panel.shared.session import Work

    original, done = Work.progress, []

    def progress(self, fraction, message):
        original(self, fraction, message)
        if title in message and not done:
            done.append(message)
            act()

    monkeypatch.setattr(Work, "progress", progress)
    return done


def test_a_cancelled_fit_leaves_nothing(ready, monkeypatch):
    done = on_progress(monkeypatch, "Fitting, round", lambda: ready.cancelButton.click())
    ready.click("fitButton")
    assert done
    assert ready.parameters.edited is None
    assert not generated_thyroids(ready.app.scene)
    assert ready.fitButton.enabled


def test_closing_the_scene_in_a_fit_is_safe(ready, monkeypatch):
    import slicer

    done = on_progress(monkeypatch, "Fitting, round", lambda: slicer.mrmlScene.Clear(False))
    ready.click("fitButton")
    assert done
    assert not generated_thyroids(ready.app.scene)
    assert ready.parameters.edited is None
    assert section(ready)._edit is None
    assert not ready.fitButton.enabled


def test_closing_the_scene_in_a_change_is_safe(fitted, monkeypatch):
    import slicer

    done = on_progress(monkeypatch, "Steering", lambda: slicer.mrmlScene.Clear(False))
    fitted.editVolumeSlider.value = 1.3 * fitted.editVolumeSlider.value
    fitted.wait(lambda: done)
    fitted.app.process_events()
    assert not generated_thyroids(fitted.app.scene)
    assert section(fitted)._edit is None


def test_cancel_takes_a_change_back(fitted, monkeypatch):
    own = surface_of_segment(fitted.parameters.edited, SEGMENT_ID).vertices
    done = on_progress(monkeypatch, "Steering", lambda: fitted.cancelButton.click())
    change_volume(fitted, 1.3)
    assert done
    np.testing.assert_array_equal(surface_of_segment(fitted.parameters.edited, SEGMENT_ID).vertices, own)
    assert not fitted.undoButton.enabled
    assert read_record(fitted.parameters.edited).targets == {}


def test_a_new_wish_takes_the_place_of_one_that_is_being_met(fitted, monkeypatch):
    start = fitted.editVolumeSlider.value

    def move_on():
        fitted.editVolumeSlider.value = 1.1 * start

    done = on_progress(monkeypatch, "Steering", move_on)
    fitted.editVolumeSlider.value = 1.3 * start
    fitted.wait(lambda: done)
    rest(fitted)
    record = read_record(fitted.parameters.edited)
    assert record.targets["volume_ml"] == pytest.approx(1.1 * start, abs=0.06)
    fitted.click("undoButton")
    assert not fitted.undoButton.enabled


def test_undo_while_a_wish_is_being_met_goes_back_once(fitted, monkeypatch):
    change_volume(fitted, 1.1)
    before = read_record(fitted.parameters.edited)
    done = on_progress(monkeypatch, "Steering", lambda: fitted.undoButton.click())
    change_volume(fitted, 1.2)
    assert done
    assert read_record(fitted.parameters.edited) == before
    assert not fitted.redoButton.enabled


def test_a_saved_scene_reopens_with_the_edit_and_fits_nothing_again(fitted, tmp_path, monkeypatch):
    import slicer

    from ThyroidSynthLib.generation.edit import editing

    change_volume(fitted, 1.15)
    changed = surface_of_segment(fitted.parameters.edited, SEGMENT_ID)
    record = read_record(fitted.parameters.edited)
    table = [[fitted.editTable.item(row, column).text() for column in range(3)] for row in range(3)]
    text = fitted.fitLabel.text
    fitted.holdSymmetryCheckBox.click()
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    fitted.app.process_events()
    assert fitted.editTable.item(0, 0).text() == "–"
    slicer.util.loadScene(path)
    fitted.app.process_events()
    assert read_record(fitted.parameters.edited) == record
    assert fitted.fitLabel.text == text
    assert [[fitted.editTable.item(row, column).text() for column in range(3)] for row in range(3)] == table
    assert fitted.editVolumeSlider.value == pytest.approx(record.targets["volume_ml"], abs=0.051)
    assert not fitted.holdSymmetryCheckBox.checked
    assert fitted.undoButton.enabled
    assert fitted.parameters.segmentation.GetDisplayNode().GetSegmentVisibility(GLAND)

    def refuse(*_arguments, **_keywords):
        raise AssertionError("a second optimisation")

    monkeypatch.setattr(editing, "fit_mask", refuse)
    fitted.click("undoButton")
    assert read_record(fitted.parameters.edited).measured == pytest.approx(record.original, rel=1e-4)
    fitted.click("redoButton")
    np.testing.assert_allclose(
        surface_of_segment(fitted.parameters.edited, SEGMENT_ID).vertices, changed.vertices, atol=1e-3
    )
    fitted.editVolumeSlider.value = 1.1 * record.original["volume_ml"]
    rest(fitted)
    assert read_record(fitted.parameters.edited).measured["volume_ml"] == pytest.approx(
        1.1 * record.original["volume_ml"], rel=0.03
    )


def test_a_slider_of_a_reopened_scene_takes_the_edit_up(fitted, tmp_path):
    import slicer

    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    fitted.app.process_events()
    assert section(fitted)._edit is None
    target = round(1.1 * fitted.editVolumeSlider.value, 1)
    fitted.editVolumeSlider.value = target
    rest(fitted)
    assert read_record(fitted.parameters.edited).targets["volume_ml"] == pytest.approx(target)


def test_a_reopened_edit_of_another_model_is_refused_with_a_reason(fitted, tmp_path, model_file):
    import slicer

    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    fitted.app.process_events()
    other = tmp_path / "other.safetensors"
    _other_model(model_file, other)
    fitted.choose_model(other)
    record = read_record(fitted.parameters.edited)
    fitted.app.dialogs.expect("error", "another shape model")
    fitted.editVolumeSlider.value = 1.1 * fitted.editVolumeSlider.value
    rest(fitted)
    assert read_record(fitted.parameters.edited) == record


def _other_model(source, target):
    from dataclasses import replace

    from ThyroidSynthLib.model.shape_model import ShapeModel

    model = ShapeModel.load(source)
    replace(model, provenance={**model.provenance, "licence": "another"}).save(target)


def paint(segmentation, segment_id):
    import slicer

    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id).copy()
    array[array.shape[0] // 2 :] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, segment_id)


def test_a_changed_patient_ends_the_edit_and_keeps_what_was_made(fitted):
    change_volume(fitted, 1.15)
    record = read_record(fitted.parameters.edited)
    paint(fitted.parameters.segmentation, GLAND)
    fitted.app.process_events()
    assert "changed after it was fitted" in fitted.editWarningLabel.text
    assert not fitted.editVolumeSlider.enabled
    assert not fitted.undoButton.enabled
    assert fitted.keepButton.enabled
    assert section(fitted)._edit is None
    assert read_record(fitted.parameters.edited) == record
    before = fitted.parameters.edited
    fitted.click("fitButton")
    fitted.app.process_events()
    assert fitted.editVolumeSlider.enabled
    assert fitted.parameters.edited is not before
    assert read_record(before) == record
    assert read_record(fitted.parameters.edited).original["volume_ml"] < 0.9 * record.original["volume_ml"]


def test_a_changed_patient_is_noticed_after_the_scene_was_reopened(fitted, tmp_path):
    import slicer

    paint_after = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(paint_after)
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(paint_after)
    fitted.app.process_events()
    paint(fitted.parameters.segmentation, GLAND)
    fitted.app.process_events()
    fitted.app.dialogs.expect("error", "changed after it was fitted")
    fitted.editVolumeSlider.value = 1.1 * fitted.editVolumeSlider.value
    rest(fitted)
    assert read_record(fitted.parameters.edited).targets == {}


def test_a_trachea_that_is_painted_does_not_end_the_edit(fitted):
    paint(fitted.parameters.segmentation, "trachea")
    fitted.app.process_events()
    assert fitted.editVolumeSlider.enabled
    change_volume(fitted, 1.1)
    assert read_record(fitted.parameters.edited).targets


def test_a_removed_patient_ends_the_edit(fitted):
    change_volume(fitted, 1.15)
    fitted.app.scene.RemoveNode(fitted.parameters.segmentation)
    fitted.app.process_events()
    assert "was removed" in fitted.editWarningLabel.text
    assert not fitted.editVolumeSlider.enabled
    fitted.click("keepButton")
    assert len(generated_thyroids(fitted.app.scene)) == 2


def test_a_patient_changed_while_a_slider_moves_takes_the_move_back(fitted):
    own = surface_of_segment(fitted.parameters.edited, SEGMENT_ID).vertices
    fitted.editVolumeSlider.value = 1.3 * fitted.editVolumeSlider.value
    fitted.app.process_events()
    paint(fitted.parameters.segmentation, GLAND)
    rest(fitted)
    np.testing.assert_array_equal(surface_of_segment(fitted.parameters.edited, SEGMENT_ID).vertices, own)
    assert not fitted.editVolumeSlider.enabled


def test_the_edit_that_is_removed_is_gone(fitted):
    fitted.app.scene.RemoveNode(fitted.parameters.edited)
    fitted.app.process_events()
    assert not fitted.keepButton.enabled
    assert fitted.parameters.segmentation.GetDisplayNode().GetSegmentVisibility(GLAND)
    fitted.click("fitButton")
    assert fitted.parameters.edited is not None


def test_a_second_fit_uses_the_same_node_unless_something_would_be_lost(fitted):
    first = fitted.parameters.edited
    fitted.click("fitButton")
    assert fitted.parameters.edited is first
    change_volume(fitted, 1.15)
    fitted.click("fitButton")
    assert fitted.parameters.edited is not first
    assert read_record(first).targets


def test_an_edit_waits_while_another_patient_is_chosen(fitted, dataset):
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


def test_leaving_the_module_and_coming_back_keeps_the_edit_and_its_history(fitted):
    change_volume(fitted, 1.15)
    fitted.module.leave()
    fitted.module.select()
    fitted.app.process_events()
    assert fitted.undoButton.enabled
    fitted.click("undoButton")
    assert read_record(fitted.parameters.edited).targets == {}


def test_leaving_in_the_middle_of_a_move_takes_it_back(fitted):
    node = fitted.parameters.edited
    own = surface_of_segment(node, SEGMENT_ID).vertices
    fitted.editVolumeSlider.value = 1.3 * fitted.editVolumeSlider.value
    fitted.app.process_events()
    assert surface_of_segment(node, SEGMENT_ID).vertices.shape != own.shape
    fitted.module.leave()
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, own)


def test_an_edit_moved_by_hand_stays_where_it_was_moved_to(fitted):
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
    own = section(fitted)._edit.placement.trachea_to_ras
    np.testing.assert_allclose(record.placement.trachea_to_ras[:3, 3] - own[:3, 3], [0, 0, 30], atol=1e-6)


def test_a_thyroid_of_surfaces_can_be_edited(ready):
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
