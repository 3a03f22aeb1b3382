"""A thyroid that is handed to the Segment Editor is chosen there and can be seen."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.slicer.scene.thyroids.hand_editing import choose_in_segment_editor, is_shown_in_3d, show_in_3d
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, add_generated_thyroid


@pytest.fixture
def node(scene, loaded, own_surface, record):
    return add_generated_thyroid(scene, "Generated thyroid", own_surface, ct=loaded.ct, record=record)


def test_a_hidden_thyroid_is_shown_when_the_segment_editor_is_opened_on_it(scene, loaded, node):
    display = node.GetDisplayNode()
    display.SetVisibility(False)
    display.SetSegmentVisibility(SEGMENT_ID, False)
    choose_in_segment_editor(node, loaded.ct)
    assert display.GetVisibility() and display.GetSegmentVisibility(SEGMENT_ID)
    editor = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert editor.GetSegmentationNode() is node
    assert editor.GetSourceVolumeNode() is loaded.ct


def test_a_hidden_thyroid_is_not_shown_in_3d_until_the_button_is_clicked(node):
    assert is_shown_in_3d(node)
    node.GetDisplayNode().SetVisibility(False)
    assert not is_shown_in_3d(node)
    show_in_3d(node, True)
    assert is_shown_in_3d(node)
    show_in_3d(node, False)
    assert not is_shown_in_3d(node)
    assert node.GetDisplayNode().GetVisibility()
