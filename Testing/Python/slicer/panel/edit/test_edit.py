"""Fit a patient's thyroid, change one feature at a time, undo, redo, reset and keep, through the panel's widgets."""

from __future__ import annotations

import numpy as np
import pytest

from support.edit_hands import change_volume, drag, edited_surface, fit, settle
from ThyroidSynthLib.slicer.scene.thyroids.records import EDITED, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import (
    EDITED_COLOUR,
    KEPT_COLOUR,
    SEGMENT_ID,
    colour_of,
    generated_thyroids,
)
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment

GLAND = "thyroid_gland"
VIEWS = ("Red", "Green", "Yellow", "1")


def cell(hands, row, column):
    return hands.editTable.item(row, column).text()


def content(segmentation, segment_id=GLAND):
    """Return voxels, modification times and appearance of a segment."""
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    volume = volume_of_segment(segmentation, segment_id)
    stored = segment.GetRepresentation("Binary labelmap")
    return (
        volume.array.tobytes(),
        volume.ijk_to_ras.tobytes(),
        stored.GetMTime(),
        segment.GetMTime(),
        segmentation.GetSegmentation().GetMTime(),
        segment.GetName(),
        segment.GetTerminology(),
        tuple(segment.GetColor()),
    )


def test_edit_is_disabled_before_a_fit(hands):
    assert not hands.fitButton.enabled
    assert "There is no patient" in hands.fitLabel.text
    for name in ("undoButton", "redoButton", "resetButton", "keepButton", "editVolumeSlider"):
        assert not getattr(hands, name).enabled, name


def test_a_fit_shows_its_quality_and_starts_at_the_patients_own_thyroid(fitted):
    node = fitted.parameters.edited
    record = read_record(node)
    assert record.kind == EDITED
    assert record.targets == {}
    # The offset of the fit follows its code.
    assert record.code == record.fitted_code[: len(record.code)]
    assert len(record.fitted_code) > len(record.code)
    assert record.measured == record.original
    assert record.source_segment == GLAND
    # The shipped model has not seen this gland; its fit is good all the same.
    assert record.quality["dice"] > 0.9
    assert record.quality["hd95_mm"] < 2
    assert f"Dice {record.quality['dice']:.2f}" in fitted.fitLabel.text
    assert f"HD95 {record.quality['hd95_mm']:.1f} mm" in fitted.fitLabel.text
    assert "patient's own thyroid" in fitted.editNoteLabel.text
    assert fitted.editVolumeSlider.value == pytest.approx(record.original["volume_ml"], abs=0.051)
    assert [cell(fitted, row, 2) for row in range(3)] == ["unchanged"] * 3
    assert node.GetNodeReference("ThyroidSynth.Source") is fitted.parameters.segmentation
    assert not fitted.undoButton.enabled
    assert fitted.keepButton.enabled


def test_an_unchanged_edit_has_exactly_the_patients_voxels(fitted):
    from ThyroidSynthLib.geometry.voxelisation import voxelise

    own = volume_of_segment(fitted.parameters.segmentation, GLAND)
    again = voxelise(edited_surface(fitted), own.grid)
    np.testing.assert_array_equal(again.array, own.array)


def test_one_feature_changes_and_the_others_are_held(fitted):
    original = read_record(fitted.parameters.edited).original
    fitted.editVolumeSlider.value = round(1.15 * original["volume_ml"], 1)
    settle(fitted)
    record = read_record(fitted.parameters.edited)
    assert record.measured["volume_ml"] == pytest.approx(1.15 * original["volume_ml"], rel=0.03)
    assert record.measured["isthmus_area_mm2"] == pytest.approx(original["isthmus_area_mm2"], rel=0.04, abs=3.5)
    assert record.measured["symmetry"] == pytest.approx(original["symmetry"], abs=0.02)
    assert set(record.targets) == {"volume_ml", "isthmus_area_mm2", "symmetry"}
    assert record.met
    assert cell(fitted, 0, 0) == f"{original['volume_ml']:.1f} mL"
    assert cell(fitted, 0, 1) == f"{record.measured['volume_ml']:.1f} mL"
    assert cell(fitted, 0, 2).startswith("+")
    assert "%" in cell(fitted, 0, 2)
    found = edited_surface(fitted).volume / 1000
    assert found == pytest.approx(record.measured["volume_ml"], rel=0.002)


def test_the_slider_of_a_feature_that_is_not_held_shows_its_measured_value(fitted):
    fitted.holdSymmetryCheckBox.click()
    fitted.holdIsthmusAreaCheckBox.click()
    change_volume(fitted, 1.2)
    record = read_record(fitted.parameters.edited)
    assert set(record.targets) == {"volume_ml"}
    assert fitted.editSymmetrySlider.value == pytest.approx(record.measured["symmetry"], abs=0.006)


def test_a_dragged_slider_previews_the_change_before_it_is_recorded(fitted):
    before = {name: fitted.app.view(name).grab() for name in VIEWS}
    record = read_record(fitted.parameters.edited)
    volume = edited_surface(fitted).volume
    drag(fitted, "Volume", 1.3 * fitted.editVolumeSlider.value)
    assert edited_surface(fitted).volume > 1.05 * volume
    assert read_record(fitted.parameters.edited) == record
    assert cell(fitted, 0, 2).startswith("+")
    assert any((fitted.app.view(name).grab() != before[name]).any() for name in VIEWS[:3])
    settle(fitted)
    assert read_record(fitted.parameters.edited) != record


def test_a_slider_moved_back_restores_the_patients_thyroid(fitted):
    own = edited_surface(fitted)
    shown = fitted.editVolumeSlider.value
    drag(fitted, "Volume", 1.2 * shown)
    drag(fitted, "Volume", shown)
    settle(fitted)
    np.testing.assert_array_equal(edited_surface(fitted).vertices, own.vertices)
    assert read_record(fitted.parameters.edited).targets == {}
    assert not fitted.undoButton.enabled


def test_editing_moves_neither_cameras_nor_slices(fitted):
    camera = fitted.app.view("1").camera_node()
    before = (camera.GetPosition(), camera.GetFocalPoint())
    offsets = [fitted.app.view(name).node.GetSliceOffset() for name in VIEWS[:3]]
    drag(fitted, "Volume", 1.2 * fitted.editVolumeSlider.value)
    settle(fitted)
    fitted.click("undoButton")
    assert (camera.GetPosition(), camera.GetFocalPoint()) == before
    assert [fitted.app.view(name).node.GetSliceOffset() for name in VIEWS[:3]] == offsets


def test_undo_and_redo_restore_every_step_exactly(fitted):
    start = fitted.editVolumeSlider.value
    seen = [edited_surface(fitted).vertices]
    records = [read_record(fitted.parameters.edited)]
    for factor in (1.1, 1.2, 0.95):
        fitted.editVolumeSlider.value = factor * start
        settle(fitted)
        seen.append(edited_surface(fitted).vertices)
        records.append(read_record(fitted.parameters.edited))
    assert not fitted.redoButton.enabled
    for place in (2, 1, 0):
        fitted.click("undoButton")
        np.testing.assert_array_equal(edited_surface(fitted).vertices, seen[place])
        assert read_record(fitted.parameters.edited) == records[place]
    assert not fitted.undoButton.enabled
    for place in (1, 2, 3):
        fitted.click("redoButton")
        np.testing.assert_array_equal(edited_surface(fitted).vertices, seen[place])
    fitted.click("undoButton")
    fitted.editSymmetrySlider.value = fitted.editSymmetrySlider.value - 0.05
    settle(fitted)
    assert not fitted.redoButton.enabled


def test_reset_restores_the_patients_thyroid_and_can_be_undone(fitted):
    own = edited_surface(fitted).vertices
    change_volume(fitted, 1.2)
    changed = edited_surface(fitted).vertices
    fitted.click("resetButton")
    np.testing.assert_array_equal(edited_surface(fitted).vertices, own)
    assert not fitted.resetButton.enabled
    fitted.click("undoButton")
    np.testing.assert_array_equal(edited_surface(fitted).vertices, changed)


def test_undo_reverts_an_unfinished_move(fitted):
    own = edited_surface(fitted).vertices
    drag(fitted, "Volume", 1.2 * fitted.editVolumeSlider.value)
    fitted.click("undoButton")
    np.testing.assert_array_equal(edited_surface(fitted).vertices, own)
    assert not fitted.undoButton.enabled
    fitted.app.process_events()
    assert cell(fitted, 0, 2) == "unchanged"


def test_an_edit_outside_the_cohorts_range_shows_a_warning(fitted):
    assert not fitted.editWarningLabel.text
    fitted.editVolumeSlider.value = fitted.editVolumeSlider.maximum
    settle(fitted)
    assert "above the cohort's maximum" in fitted.editWarningLabel.text
    fitted.click("undoButton")
    assert not fitted.editWarningLabel.text


def test_keyboard_shortcuts_undo_and_redo(fitted):
    from PySide6 import QtCore, QtTest

    change_volume(fitted, 1.1)
    panel = fitted.module.panel
    panel.show()
    panel.activateWindow()
    fitted.app.process_events()
    changed = read_record(fitted.parameters.edited)
    fitted.keepButton.setFocus()
    for keys in (QtCore.Qt.ControlModifier, QtCore.Qt.ControlModifier | QtCore.Qt.ShiftModifier):
        QtTest.QTest.keyClick(panel, QtCore.Qt.Key_Z, QtCore.Qt.ControlModifier)
        assert read_record(fitted.parameters.edited).targets == {}
        key = QtCore.Qt.Key_Z if keys & QtCore.Qt.ShiftModifier else QtCore.Qt.Key_Y
        QtTest.QTest.keyClick(panel, key, keys)
        assert read_record(fitted.parameters.edited) == changed
    assert fitted.undoButton.shortcut.toString() == "Alt+U"


def test_the_undo_shortcut_acts_on_text_in_a_text_field_and_else_on_the_current_thyroid(fitted):
    from PySide6 import QtCore, QtTest

    change_volume(fitted, 1.1)
    panel = fitted.module.panel
    panel.show()
    panel.activateWindow()
    changed = read_record(fitted.parameters.edited)
    reader = fitted.readerEdit
    fitted.open("compare")
    fitted.app.process_events()
    reader.setFocus()
    QtTest.QTest.keyClicks(reader, "Ann")
    QtTest.QTest.keyClick(reader, QtCore.Qt.Key_Z, QtCore.Qt.ControlModifier)
    assert reader.text == ""
    assert read_record(fitted.parameters.edited) == changed
    # In any tab: the bar names the thyroid and shows that it can be undone.
    fitted.showAllButton.setFocus()
    assert fitted.currentSelector.currentNode() is fitted.parameters.edited
    QtTest.QTest.keyClick(panel, QtCore.Qt.Key_Z, QtCore.Qt.ControlModifier)
    fitted.app.process_events()
    assert not read_record(fitted.parameters.edited).targets


def test_a_changed_volume_is_kept_in_three_clicks_after_loading(ready):
    ready.measured()
    ready.click("editOwnButton")
    assert ready.module.widget.panel.tabs.current == "create"
    assert not ready.editCollapsible.collapsed
    change_volume(ready, 1.2)
    ready.click("keepButton")
    kept = read_record(ready.parameters.edited)
    assert kept.measured["volume_ml"] == pytest.approx(1.2 * kept.original["volume_ml"], rel=0.02)


def test_bar_table_and_export_have_the_same_current_thyroid(ready):
    ready.click("generateButton")
    generated = ready.parameters.result
    ready.click("fitButton")
    edited = ready.parameters.edited
    assert ready.currentSelector.currentNode() is ready.parameters.result is edited
    ready.currentSelector.setCurrentNode(generated)
    ready.app.process_events()
    assert ready.parameters.result is ready.resultSelector.currentNode() is generated
    assert not ready.undoButton.enabled
    # What is changed becomes the current one.
    change_volume(ready, 1.1)
    assert ready.currentSelector.currentNode() is ready.parameters.result is edited
    assert ready.undoButton.enabled


def test_keep_names_and_recolours_the_thyroid_and_the_edit_continues_in_another_one(fitted):
    change_volume(fitted, 1.15)
    kept, record = fitted.parameters.edited, read_record(fitted.parameters.edited)
    assert colour_of(kept) == pytest.approx(EDITED_COLOUR)
    fitted.click("keepButton")
    assert kept.GetName() == "s0000 (edited)"
    assert colour_of(kept) == pytest.approx(KEPT_COLOUR)
    assert fitted.parameters.edited is kept
    assert read_record(kept) == record
    assert kept.GetNodeReference("ThyroidSynth.Source") is fitted.parameters.segmentation
    assert kept.GetDisplayNode().GetVisibility()
    assert not fitted.keepButton.enabled
    before = surface_of_segment(kept, SEGMENT_ID).vertices
    change_volume(fitted, 1.1)
    working = fitted.parameters.edited
    assert generated_thyroids(fitted.app.scene) == [kept, working]
    assert working.GetName() == "s0000 (being edited)"
    assert colour_of(working) == pytest.approx(EDITED_COLOUR)
    assert kept.GetName() in fitted.statusLabel.text
    assert working.GetDisplayNode().GetVisibility()
    assert not kept.GetDisplayNode().GetVisibility()
    np.testing.assert_array_equal(surface_of_segment(kept, SEGMENT_ID).vertices, before)
    # The history goes on.
    fitted.click("undoButton")
    assert read_record(working).measured == pytest.approx(record.measured, rel=1e-3)
    fitted.click("undoButton")
    assert read_record(working).targets == {}
    np.testing.assert_array_equal(surface_of_segment(kept, SEGMENT_ID).vertices, before)


def test_keep_right_after_a_move_meets_the_targets_first(fitted):
    target = round(1.15 * fitted.editVolumeSlider.value, 1)
    drag(fitted, "Volume", target)
    fitted.click("keepButton")
    kept = generated_thyroids(fitted.app.scene)[-1]
    assert read_record(kept).targets["volume_ml"] == pytest.approx(target)


def test_the_patients_segmentation_is_not_modified(ready):
    segmentation = ready.parameters.segmentation
    before = content(segmentation), content(segmentation, "trachea")
    fit(ready)
    ready.editVolumeSlider.value = 1.15 * ready.editVolumeSlider.value
    settle(ready)
    ready.click("undoButton")
    ready.click("redoButton")
    ready.click("keepButton")
    ready.click("resetButton")
    assert (content(segmentation), content(segmentation, "trachea")) == before


def test_targets_that_are_not_met_are_reported_with_the_difference(fitted):
    slider = fitted.editSymmetrySlider
    slider.value = slider.maximum
    settle(fitted)
    record = read_record(fitted.parameters.edited)
    assert not record.met
    miss = record.targets["symmetry"] - record.measured["symmetry"]
    assert fitted.editWarningLabel.text.startswith("Targets not met: ")
    assert f"symmetry {miss:.2f} below target" in fitted.editWarningLabel.text


def test_the_patients_thyroid_is_shown_as_an_outline_during_an_edit(fitted):
    display = fitted.parameters.segmentation.GetDisplayNode()
    assert display.GetSegmentVisibility(GLAND)
    assert not display.GetSegmentVisibility2DFill(GLAND)
    drag(fitted, "Volume", 1.3 * fitted.editVolumeSlider.value)
    settle(fitted)
    shown = {name: fitted.app.view(name).grab().astype(int) for name in VIEWS}
    fitted.showOriginalCheckBox.click()
    fitted.app.process_events()
    assert not display.GetSegmentVisibility(GLAND)
    # The sagittal slice shows the isthmus, which was held.
    for name in VIEWS[:2]:
        hidden = fitted.app.view(name).grab().astype(int)
        assert (np.abs(shown[name] - hidden).max(axis=2) > 30).sum() > 30, name
    fitted.showOriginalCheckBox.click()
    fitted.app.process_events()
    assert display.GetSegmentVisibility(GLAND)
