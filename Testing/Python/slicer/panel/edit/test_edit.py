"""Fit a patient's thyroid, change one feature at a time, undo, redo, reset, keep: by the widgets a person uses."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.slicer.scene.thyroids.records import EDITED, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment

GLAND = "thyroid_gland"
VIEWS = ("Red", "Green", "Yellow", "1")


@pytest.fixture
def fitted(ready):
    ready.editCollapsible.collapsed = False
    ready.click("fitButton")
    ready.measured()
    ready.app.process_events()
    return ready


def cell(hands, row, column):
    return hands.editTable.item(row, column).text()


def drag(hands, name, value):
    """Move a slider as a hand does, in three moves."""
    slider = getattr(hands, f"edit{name}Slider")
    before = slider.value
    for share in (0.4, 0.8, 1.0):
        slider.value = before + share * (value - before)
        hands.app.process_events()


def rest(hands):
    """Wait until the last move has come to rest."""
    hands.wait(lambda: hands.module.widget.panel.edit._sliders.moved is None)
    hands.app.process_events()


def surface(hands):
    return surface_of_segment(hands.parameters.edited, SEGMENT_ID)


def content(segmentation, segment_id=GLAND):
    """All that is the patient's in a segment, to tell whether it was touched."""
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


def test_nothing_can_be_edited_before_a_fit(hands):
    assert not hands.fitButton.enabled
    assert "Choose a patient" in hands.fitLabel.text
    for name in ("undoButton", "redoButton", "resetButton", "keepButton", "editVolumeSlider"):
        assert not getattr(hands, name).enabled, name


def test_a_fit_is_told_with_its_quality_and_starts_at_the_patients_own_thyroid(fitted):
    node = fitted.parameters.edited
    record = read_record(node)
    assert record.kind == EDITED
    assert record.targets == {}
    assert record.code == record.fitted_code
    assert record.measured == record.original
    assert record.source_segment == GLAND
    assert 0.3 < record.quality["dice"] <= 1
    assert f"Dice {record.quality['dice']:.2f}" in fitted.fitLabel.text
    assert "mm apart on average" in fitted.fitLabel.text
    assert "patient's own thyroid" in fitted.editNoteLabel.text
    assert fitted.editVolumeSlider.value == pytest.approx(record.original["volume_ml"], abs=0.051)
    assert [cell(fitted, row, 2) for row in range(3)] == ["unchanged"] * 3
    assert node.GetNodeReference("ThyroidSynth.Source") is fitted.parameters.segmentation
    assert not fitted.undoButton.enabled
    assert fitted.keepButton.enabled


def test_no_change_gives_exactly_the_patients_voxels(fitted):
    from ThyroidSynthLib.geometry.voxelisation import voxelise

    own = volume_of_segment(fitted.parameters.segmentation, GLAND)
    again = voxelise(surface(fitted), own.grid)
    np.testing.assert_array_equal(again.array, own.array)
    edit = fitted.module.widget.panel.edit._edit
    mapped = edit._shapes.label_map(edit.history.current.code, own)
    np.testing.assert_array_equal(mapped.array, own.array)


def test_one_feature_changes_and_the_others_are_held(fitted):
    original = read_record(fitted.parameters.edited).original
    fitted.editVolumeSlider.value = round(1.15 * original["volume_ml"], 1)
    rest(fitted)
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
    found = surface(fitted).volume / 1000
    assert found == pytest.approx(record.measured["volume_ml"], rel=0.002)


def test_a_freed_feature_may_change_along_and_its_slider_shows_where_it_came_to(fitted):
    fitted.holdSymmetryCheckBox.click()
    fitted.holdIsthmusAreaCheckBox.click()
    fitted.editVolumeSlider.value = 1.2 * fitted.editVolumeSlider.value
    rest(fitted)
    record = read_record(fitted.parameters.edited)
    assert set(record.targets) == {"volume_ml"}
    assert fitted.editSymmetrySlider.value == pytest.approx(record.measured["symmetry"], abs=0.006)


def test_the_gland_follows_a_dragged_slider_before_it_rests(fitted):
    before = {name: fitted.app.view(name).grab() for name in VIEWS}
    record = read_record(fitted.parameters.edited)
    volume = surface(fitted).volume
    drag(fitted, "Volume", 1.3 * fitted.editVolumeSlider.value)
    assert surface(fitted).volume > 1.05 * volume
    assert read_record(fitted.parameters.edited) == record
    assert cell(fitted, 0, 2).startswith("+")
    assert any((fitted.app.view(name).grab() != before[name]).any() for name in VIEWS[:3])
    rest(fitted)
    assert read_record(fitted.parameters.edited) != record


def test_a_slider_moved_back_is_the_patients_thyroid_again(fitted):
    own = surface(fitted)
    shown = fitted.editVolumeSlider.value
    drag(fitted, "Volume", 1.2 * shown)
    drag(fitted, "Volume", shown)
    rest(fitted)
    np.testing.assert_array_equal(surface(fitted).vertices, own.vertices)
    assert read_record(fitted.parameters.edited).targets == {}
    assert not fitted.undoButton.enabled


def test_cameras_and_slices_stay_while_editing(fitted):
    camera = fitted.app.view("1").camera_node()
    before = (camera.GetPosition(), camera.GetFocalPoint())
    offsets = [fitted.app.view(name).node.GetSliceOffset() for name in VIEWS[:3]]
    drag(fitted, "Volume", 1.2 * fitted.editVolumeSlider.value)
    rest(fitted)
    fitted.click("undoButton")
    assert (camera.GetPosition(), camera.GetFocalPoint()) == before
    assert [fitted.app.view(name).node.GetSliceOffset() for name in VIEWS[:3]] == offsets


def test_undo_and_redo_of_any_depth_come_back_exactly(fitted):
    start = fitted.editVolumeSlider.value
    seen = [surface(fitted).vertices]
    records = [read_record(fitted.parameters.edited)]
    for factor in (1.1, 1.2, 0.95):
        fitted.editVolumeSlider.value = factor * start
        rest(fitted)
        seen.append(surface(fitted).vertices)
        records.append(read_record(fitted.parameters.edited))
    assert not fitted.redoButton.enabled
    for place in (2, 1, 0):
        fitted.click("undoButton")
        np.testing.assert_array_equal(surface(fitted).vertices, seen[place])
        assert read_record(fitted.parameters.edited) == records[place]
    assert not fitted.undoButton.enabled
    for place in (1, 2, 3):
        fitted.click("redoButton")
        np.testing.assert_array_equal(surface(fitted).vertices, seen[place])
    fitted.click("undoButton")
    fitted.editSymmetrySlider.value = fitted.editSymmetrySlider.value - 0.05
    rest(fitted)
    assert not fitted.redoButton.enabled


def test_reset_is_the_patients_thyroid_and_can_be_undone(fitted):
    own = surface(fitted).vertices
    fitted.editVolumeSlider.value = 1.2 * fitted.editVolumeSlider.value
    rest(fitted)
    changed = surface(fitted).vertices
    fitted.click("resetButton")
    np.testing.assert_array_equal(surface(fitted).vertices, own)
    assert not fitted.resetButton.enabled
    fitted.click("undoButton")
    np.testing.assert_array_equal(surface(fitted).vertices, changed)


def test_undo_takes_back_a_move_that_has_not_come_to_rest(fitted):
    own = surface(fitted).vertices
    drag(fitted, "Volume", 1.2 * fitted.editVolumeSlider.value)
    fitted.click("undoButton")
    np.testing.assert_array_equal(surface(fitted).vertices, own)
    assert not fitted.undoButton.enabled
    fitted.app.process_events()
    assert cell(fitted, 0, 2) == "unchanged"


def test_an_edit_out_of_the_cohort_is_warned_of(fitted):
    assert not fitted.editWarningLabel.text
    fitted.editVolumeSlider.value = fitted.editVolumeSlider.maximum
    rest(fitted)
    assert "above the largest of the cohort" in fitted.editWarningLabel.text or "reach" in fitted.editWarningLabel.text
    fitted.click("undoButton")
    assert not fitted.editWarningLabel.text


def test_the_keyboard_undoes_and_redoes(fitted):
    from PySide6 import QtCore, QtTest

    fitted.editVolumeSlider.value = 1.1 * fitted.editVolumeSlider.value
    rest(fitted)
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


def test_undo_by_the_keyboard_leaves_text_and_what_is_not_shown_alone(fitted):
    from PySide6 import QtCore, QtTest

    fitted.editVolumeSlider.value = 1.1 * fitted.editVolumeSlider.value
    rest(fitted)
    panel = fitted.module.panel
    panel.show()
    panel.activateWindow()
    changed = read_record(fitted.parameters.edited)
    reader = fitted.readerEdit
    fitted.inspectCollapsible.collapsed = False
    fitted.app.process_events()
    reader.setFocus()
    QtTest.QTest.keyClicks(reader, "Ann")
    QtTest.QTest.keyClick(reader, QtCore.Qt.Key_Z, QtCore.Qt.ControlModifier)
    assert reader.text == ""
    fitted.keepButton.setFocus()
    fitted.editCollapsible.collapsed = True
    fitted.app.process_events()
    QtTest.QTest.keyClick(panel, QtCore.Qt.Key_Z, QtCore.Qt.ControlModifier)
    assert read_record(fitted.parameters.edited) == changed


def test_keep_makes_a_thyroid_of_its_own_and_the_edit_goes_on(fitted):
    fitted.editVolumeSlider.value = 1.15 * fitted.editVolumeSlider.value
    rest(fitted)
    working = fitted.parameters.edited
    fitted.click("keepButton")
    (kept,) = (node for node in generated_thyroids(fitted.app.scene) if node is not working)
    assert kept.GetName() == "s0000 segmentation (edited)"
    assert read_record(kept) == read_record(working)
    assert kept.GetNodeReference("ThyroidSynth.Source") is fitted.parameters.segmentation
    assert surface_of_segment(kept, SEGMENT_ID).volume == pytest.approx(surface(fitted).volume, rel=1e-5)
    assert fitted.parameters.edited is working
    assert not working.GetDisplayNode().GetVisibility()
    before = surface_of_segment(kept, SEGMENT_ID).vertices
    fitted.editVolumeSlider.value = 1.1 * fitted.editVolumeSlider.value
    rest(fitted)
    assert working.GetDisplayNode().GetVisibility()
    np.testing.assert_array_equal(surface_of_segment(kept, SEGMENT_ID).vertices, before)
    assert len(generated_thyroids(fitted.app.scene)) == 2


def test_keep_right_after_a_move_keeps_what_was_wished(fitted):
    target = round(1.15 * fitted.editVolumeSlider.value, 1)
    drag(fitted, "Volume", target)
    fitted.click("keepButton")
    kept = generated_thyroids(fitted.app.scene)[-1]
    assert read_record(kept).targets["volume_ml"] == pytest.approx(target)


def test_the_patients_own_segmentation_is_never_touched(ready):
    segmentation = ready.parameters.segmentation
    before = content(segmentation), content(segmentation, "trachea")
    ready.click("fitButton")
    ready.editVolumeSlider.value = 1.15 * ready.editVolumeSlider.value
    rest(ready)
    ready.click("undoButton")
    ready.click("redoButton")
    ready.click("keepButton")
    ready.click("resetButton")
    assert (content(segmentation), content(segmentation, "trachea")) == before


def test_a_wish_out_of_reach_is_said_with_what_is_missing(fitted):
    slider = fitted.editSymmetrySlider
    slider.value = slider.maximum
    rest(fitted)
    record = read_record(fitted.parameters.edited)
    assert not record.met
    assert "Out of this gland's reach" in fitted.editWarningLabel.text


def test_the_patients_own_thyroid_is_an_outline_beside_its_edit(fitted):
    display = fitted.parameters.segmentation.GetDisplayNode()
    assert display.GetSegmentVisibility(GLAND)
    assert not display.GetSegmentVisibility2DFill(GLAND)
    drag(fitted, "Volume", 1.3 * fitted.editVolumeSlider.value)
    rest(fitted)
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
