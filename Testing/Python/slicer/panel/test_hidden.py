"""Thyroids that the panel hides are shown in a saved scene and after leaving the module."""

from __future__ import annotations

from ThyroidSynthLib.slicer.scene.display.study_case import ATTRIBUTE


def hidden(hands) -> list[str]:
    """Return the names of the segmentations with a hidden segment, except the shape of a reader study."""
    nodes = hands.app.scene.GetNodesByClass("vtkMRMLSegmentationNode")
    nodes.UnRegister(None)
    found = []
    for node in (nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())):
        display, segments = node.GetDisplayNode(), node.GetSegmentation().GetSegmentIDs()
        shown = display.GetVisibility() and all(map(display.GetSegmentVisibility, segments))
        if not shown and node.GetAttribute(ATTRIBUTE) is None:
            found.append(node.GetName())
    return found


GLAND = "thyroid_gland"


def look(segmentation) -> tuple:
    """Return visibility, filling and opacity of the patient's thyroid."""
    display = segmentation.GetDisplayNode()
    return (
        bool(display.GetSegmentVisibility(GLAND)),
        bool(display.GetSegmentVisibility2DFill(GLAND)),
        display.GetSegmentOpacity3D(GLAND),
    )


def test_a_scene_saved_during_an_edit_shows_the_patients_thyroid(ready, tmp_path):
    import slicer

    ready.click("fitButton")
    ready.measured()
    ready.app.process_events()
    name = ready.parameters.segmentation.GetName()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    ready.module.close()
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert ready.app.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
    assert hidden(ready) == []
    # Nothing takes its place that could not be turned off in Data.
    assert look(slicer.util.getNode(name))[0]
    assert ready.app.scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == 3  # of the slice views


def test_the_eye_of_the_patients_thyroid_in_data_and_the_panel_follow_each_other(ready):
    ready.click("fitButton")
    ready.measured()
    display = ready.parameters.segmentation.GetDisplayNode()
    for shown in (False, True):
        display.SetSegmentVisibility(GLAND, shown)
        ready.app.process_events()
        assert ready.showOriginalCheckBox.checked == shown
        assert bool(display.GetSegmentVisibility(GLAND)) == shown
    ready.showOriginalCheckBox.click()
    ready.app.process_events()
    assert not display.GetSegmentVisibility(GLAND)


def test_the_outline_keeps_a_look_that_the_user_gives_it_and_ends_with_the_last_thyroid(ready):
    segmentation = ready.parameters.segmentation
    loaded = look(segmentation)
    ready.click("generateButton")
    segmentation.GetDisplayNode().SetSegmentVisibility2DFill(GLAND, True)
    ready.volumeSlider.value = 1.1 * ready.volumeSlider.value
    ready.measured()
    assert look(segmentation)[1]
    ready.app.scene.RemoveNode(ready.parameters.result)
    ready.app.process_events()
    assert look(segmentation) == loaded


def flip(ready) -> None:
    ready.click("flipButton")


def test_thyroids_hidden_by_flip_are_shown_after_leaving_the_module(ready):
    ready.click("generateButton")
    ready.open("compare")
    flip(ready)
    ready.measured()
    assert hidden(ready)
    ready.module.leave()
    assert hidden(ready) == []
    ready.module.select()
