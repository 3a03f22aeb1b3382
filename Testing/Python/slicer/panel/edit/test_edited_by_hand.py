"""A thyroid that was edited by hand is marked, measured and kept; editing continues beside it."""

from __future__ import annotations

import numpy as np
import pytest

from support.edit_hands import change_volume, edited_surface, settle
from support.hand_edits import erase_half
from ThyroidSynthLib.slicer.scene.thyroids.present import is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

GLAND = "thyroid_gland"


def erase(hands):
    node = hands.parameters.edited
    erase_half(node, hands.parameters.ct)
    hands.app.process_events()
    return node, surface_of_segment(node, SEGMENT_ID)


def assert_kept(node, surface) -> None:
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, surface.vertices)
    assert is_edited_by_hand(node)
    assert not node.GetDisplayNode().GetVisibility()


def test_a_slider_continues_beside_a_thyroid_that_was_edited_by_hand(fitted):
    change_volume(fitted, 1.1)
    before = read_record(fitted.parameters.edited)
    node, surface = erase(fitted)
    fitted.editVolumeSlider.value = 1.2 * before.original["volume_ml"]
    settle(fitted)
    assert_kept(node, surface)
    new = fitted.parameters.edited
    assert new is not node
    assert read_record(new).measured["volume_ml"] == pytest.approx(1.2 * before.original["volume_ml"], rel=0.03)
    assert not is_edited_by_hand(new)
    assert new.GetDisplayNode().GetVisibility()
    fitted.click("undoButton")
    assert read_record(new).measured == pytest.approx(before.measured, rel=1e-3)
    assert len(generated_thyroids(fitted.app.scene)) == 2


@pytest.mark.parametrize("button", ["undoButton", "resetButton"])
def test_undo_and_reset_keep_a_thyroid_that_was_edited_by_hand(fitted, button):
    change_volume(fitted, 1.1)
    own = read_record(fitted.parameters.edited).original
    node, surface = erase(fitted)
    fitted.click(button)
    assert_kept(node, surface)
    assert read_record(fitted.parameters.edited).measured == pytest.approx(own, rel=1e-3)
    assert node.GetName() in fitted.statusLabel.text


def test_a_second_fit_keeps_a_thyroid_that_was_edited_by_hand(fitted):
    node, surface = erase(fitted)
    fitted.click("fitButton")
    assert fitted.parameters.edited is not node
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, surface.vertices)


def test_keep_keeps_what_was_edited_by_hand(fitted):
    node, surface = erase(fitted)
    fitted.click("keepButton")
    assert node.GetName() == "s0000 (edited)"
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, surface.vertices)
    assert read_record(node).edited_by_hand
    assert read_record(node).measured["volume_ml"] == pytest.approx(surface.volume / 1000, rel=1e-3)


def test_an_edit_by_hand_in_a_saved_scene_is_kept_and_editing_continues(fitted, tmp_path):
    change_volume(fitted, 1.1)
    before = read_record(fitted.parameters.edited)
    _, surface = erase(fitted)
    fitted.open_scene(fitted.save_and_close(tmp_path))
    node = fitted.parameters.edited
    assert is_edited_by_hand(node)
    fitted.click("undoButton")
    assert_kept(node, surface_of_segment(node, SEGMENT_ID))
    assert surface_of_segment(node, SEGMENT_ID).volume == pytest.approx(surface.volume, rel=1e-6)
    assert read_record(fitted.parameters.edited).measured == pytest.approx(before.original, rel=1e-3)
    fitted.click("redoButton")
    assert read_record(fitted.parameters.edited).measured == pytest.approx(before.measured, rel=1e-3)


def test_a_change_of_the_patients_thyroid_that_is_undone_leaves_the_edit_alive(fitted):
    import slicer

    change_volume(fitted, 1.1)
    segmentation = fitted.parameters.segmentation
    edit, surface = fitted.module.widget.panel.edit.edit, edited_surface(fitted)
    before = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, GLAND)
    changed = before.copy()
    changed[: changed.shape[0] // 2] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(changed, segmentation, GLAND)
    fitted.measured()
    assert "Undo that change" in fitted.editWarningLabel.text
    assert not fitted.editVolumeSlider.enabled
    slicer.util.updateSegmentBinaryLabelmapFromArray(before, segmentation, GLAND)
    fitted.measured()
    assert fitted.editVolumeSlider.enabled
    assert fitted.module.widget.panel.edit.edit is edit
    np.testing.assert_array_equal(edited_surface(fitted).vertices, surface.vertices)
    fitted.click("undoButton")
    assert not fitted.undoButton.enabled
