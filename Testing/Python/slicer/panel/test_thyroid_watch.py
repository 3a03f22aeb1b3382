"""The panel follows what the user does to its thyroids outside the panel: hand edits, names, colours, visibility."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from support.generate_hands import record_of, rest, surface_of
from support.hand_edits import erase_half
from support.table_hands import Table
from ThyroidSynthLib.slicer.scene.thyroids.present import is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment


@pytest.fixture
def made(ready):
    ready.click("generateButton")
    checked(ready)
    return ready


def checked(hands) -> None:
    """Wait until the thyroids have been looked at after their last change."""
    hands.app.process_events()
    hands.wait(lambda: not hands.module.widget.panel.watch.pending)
    hands.app.process_events()


def erase(hands):
    node = hands.parameters.result
    erase_half(node, hands.parameters.ct)
    checked(hands)
    return node, surface_of_segment(node, SEGMENT_ID)


def assert_kept(node, surface) -> None:
    np.testing.assert_array_equal(surface_of_segment(node, SEGMENT_ID).vertices, surface.vertices)
    assert is_edited_by_hand(node)
    assert not node.GetDisplayNode().GetVisibility()


def test_a_thyroid_that_was_edited_by_hand_is_measured_and_marked(made):
    before = record_of(made).measured["volume_ml"]
    node, surface = erase(made)
    volume = f"{surface.volume / 1000:.1f} mL"
    assert record_of(made).measured["volume_ml"] == pytest.approx(surface.volume / 1000, rel=1e-3)
    assert surface.volume / 1000 < 0.8 * before
    assert made.statusLabel.text.startswith(f"'{node.GetName()}' was edited by hand: volume {volume}")
    assert made.generatedLabel.text.startswith(f"{node.GetName()}: edited by hand, volume {volume}")
    assert Table(made).texts(1) == ["generated\nby hand"]
    assert Table(made).texts(2)[0].startswith(f"{surface.volume / 1000:.1f}")


def test_a_slider_continues_beside_a_thyroid_that_was_edited_by_hand(made):
    node, surface = erase(made)
    made.volumeSlider.value = 1.2 * made.volumeSlider.value
    rest(made)
    assert_kept(node, surface)
    new = made.parameters.result
    assert new is not node
    assert record_of(made).measured["volume_ml"] == pytest.approx(made.volumeSlider.value, rel=0.05)
    assert f"'{node.GetName()}' was edited by hand and is kept" in made.statusLabel.text
    assert len(generated_thyroids(made.app.scene)) == 2


@pytest.mark.parametrize("button", ["generateButton", "randomButton", "history1Button"])
def test_a_new_thyroid_does_not_replace_one_that_was_edited_by_hand(made, button):
    node, surface = erase(made)
    made.click(button)
    assert_kept(node, surface)
    assert made.parameters.result is not node
    assert not record_of(made).edited_by_hand


def test_removing_the_overlap_keeps_a_thyroid_that_was_edited_by_hand(made):
    import slicer

    # Moved into the trachea.
    made.click("moveButton")
    transform = made.parameters.result.GetParentTransformNode()
    slicer.util.updateTransformMatrixFromArray(
        transform, np.array([[1, 0, 0, 0], [0, 1, 0, -8], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    )
    node, surface = erase(made)
    made.wait(lambda: made.removeOverlapButton.enabled)
    made.click("removeOverlapButton")
    assert_kept(node, surface)
    assert record_of(made).edited_by_hand
    assert record_of(made).overlap_removed
    assert surface_of(made).volume < surface.volume


def test_the_export_holds_what_the_node_holds(made, tmp_path):
    _, surface = erase(made)
    made.exportFolderEdit.setCurrentPath(str(tmp_path / "out"))
    made.click("exportButton")
    with (tmp_path / "out" / "thyroids.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["changed_in_scene"].lower() in ("1", "true")
    assert float(row["volume_ml"]) == pytest.approx(surface.volume / 1000, rel=1e-3)
    assert float(row["label_volume_ml"]) == pytest.approx(surface.volume / 1000, rel=0.05)


def test_an_edit_by_hand_while_the_module_is_closed_is_noticed_when_it_is_opened_again(made):
    made.click("segmentEditorButton")
    import slicer

    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    node = made.module.widget.logic.getParameterNode().result
    assert editor.GetSegmentationNode() is node
    assert editor.GetSelectedSegmentID() == SEGMENT_ID
    assert made.parameters is None
    volume_ml = erase_half(node, made.module.widget.logic.getParameterNode().ct)
    made.module.select()
    checked(made)
    assert record_of(made).measured["volume_ml"] == pytest.approx(volume_ml, rel=0.05)
    assert not made.show3DButton.checked
    made.click("show3DButton")
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    assert made.show3DButton.checked
    made.click("show3DButton")
    assert not node.GetDisplayNode().GetVisibility3D()


def test_name_colour_and_visibility_follow_the_scene(made):
    made.open("compare")
    node = made.parameters.result
    table = Table(made)
    item = table.model.item(0, 0)
    node.SetName("renamed in Data")
    node.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(1.0, 0.0, 0.0)
    node.GetDisplayNode().SetVisibility(False)
    checked(made)
    assert table.texts() == ["renamed in Data"]
    assert made.generatedLabel.text.startswith("renamed in Data: ")
    assert item.icon().pixmap(8, 8).toImage().pixelColor(4, 4).getRgb()[:3] == (255, 0, 0)
    assert item.checkState() == item.checkState().Unchecked
    assert not read_record(node).edited_by_hand
    node.GetDisplayNode().SetVisibility(True)
    node.GetDisplayNode().SetSegmentVisibility(SEGMENT_ID, False)
    checked(made)
    assert item.checkState() == item.checkState().Unchecked


def test_the_scene_follows_name_colour_and_visibility_of_the_table(made, monkeypatch):
    import qt

    made.open("compare")
    node = made.parameters.result
    item = Table(made).model.item(0, 0)
    item.setCheckState(item.checkState().Unchecked)
    checked(made)
    assert not node.GetDisplayNode().GetVisibility()
    item.setCheckState(item.checkState().Checked)
    checked(made)
    assert node.GetDisplayNode().GetVisibility()
    item.setText("renamed in the table")
    checked(made)
    assert node.GetName() == "renamed in the table"
    monkeypatch.setattr(qt.QColorDialog, "getColor", lambda *_arguments: qt.QColor(0, 0, 255))
    index = Table(made).model.index(0, 0)
    made.thyroidTable.doubleClicked.emit(index)
    checked(made)
    assert node.GetSegmentation().GetSegment(SEGMENT_ID).GetColor() == (0.0, 0.0, 1.0)
    assert item.icon().pixmap(8, 8).toImage().pixelColor(4, 4).getRgb()[:3] == (0, 0, 255)
    monkeypatch.setattr(qt.QColorDialog, "getColor", lambda *_arguments: qt.QColor())
    made.thyroidTable.doubleClicked.emit(index)
    assert node.GetSegmentation().GetSegment(SEGMENT_ID).GetColor() == (0.0, 0.0, 1.0)
