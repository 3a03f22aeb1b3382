"""What the views and a saved scene show: one patient, all thyroids after leaving, slices on the gland."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.slicer.scene.display.flip import Shown
from ThyroidSynthLib.slicer.scene.nodes import nodes_of
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

GLAND = "thyroid_gland"


def visible(*nodes) -> list[bool]:
    return [bool(node.GetDisplayNode().GetVisibility()) for node in nodes]


def slices_through_the_gland(hands, segmentation) -> list[bool]:
    """Return for each slice view whether it passes through the patient's thyroid."""
    import slicer

    gland = volume_of_segment(segmentation, GLAND)
    points = gland.to_ras(np.argwhere(gland.array)[:, ::-1])
    matrices = [
        slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in nodes_of(hands.app.scene, "vtkMRMLSliceNode")
    ]
    return [bool((np.abs((points - each[:3, 3]) @ each[:3, 2]) < 1.0).any()) for each in matrices]


@pytest.fixture
def two_patients(ready, dataset, tmp_path):
    """The panel with a second patient, 300 mm below the first one, for whom there is a thyroid."""
    import slicer

    ready.click("generateButton")
    first, thyroid = ready.parameters.segmentation, ready.parameters.result
    ready.load(dataset)
    second = ready.parameters.segmentation
    shift = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[2, 3] = -300.0
    slicer.util.updateTransformMatrixFromArray(shift, matrix)
    for node in (second, ready.parameters.ct):
        node.SetAndObserveTransformNodeID(shift.GetID())
    ready.app.process_events()
    return first, thyroid, second


def test_a_second_patient_hides_the_first_one_who_comes_back_with_the_views(ready, two_patients):
    first, thyroid, second = two_patients
    assert visible(first, thyroid, second) == [False, False, True]
    ready.segmentationSelector.setCurrentNode(first)
    ready.app.process_events()
    assert visible(first, thyroid, second) == [True, True, False]
    assert slices_through_the_gland(ready, first) == [True, True, True]
    ready.segmentationSelector.setCurrentNode(second)
    ready.app.process_events()
    assert visible(first, thyroid, second) == [False, False, True]
    assert slices_through_the_gland(ready, second) == [True, True, True]
    (camera,) = nodes_of(ready.app.scene, "vtkMRMLCameraNode")
    bounds = np.zeros(6)
    second.GetRASBounds(bounds)
    lower, upper = bounds[::2], bounds[1::2]
    assert np.linalg.norm(np.array(camera.GetFocalPoint()) - (lower + upper) / 2) < 60


def shown_cts(hands) -> list:
    """Return the background volume of each slice view."""
    composites = nodes_of(hands.app.scene, "vtkMRMLSliceCompositeNode")
    return [hands.app.scene.GetNodeByID(each.GetBackgroundVolumeID()) for each in composites]


def test_a_patient_who_is_chosen_again_comes_with_the_own_ct(ready, two_patients):
    first, _thyroid, second = two_patients
    cts = [node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) for node in (first, second)]
    assert ready.parameters.ct is cts[1]
    ready.segmentationSelector.setCurrentNode(first)
    ready.app.process_events()
    assert ready.parameters.ct is cts[0]
    assert shown_cts(ready) == [cts[0]] * 3
    ready.ctSelector.setCurrentNode(cts[1])
    ready.app.process_events()
    assert ready.parameters.ct is cts[1]
    assert shown_cts(ready) == [cts[1]] * 3


def test_cameras_turn_to_a_patient_chosen_again_whose_thyroid_is_out_of_their_sight(ready, two_patients):
    first, _thyroid, _second = two_patients
    gland = volume_of_segment(first, GLAND)
    centre = gland.to_ras(np.argwhere(gland.array)[:, ::-1]).mean(axis=0)
    (camera,) = nodes_of(ready.app.scene, "vtkMRMLCameraNode")
    # Less than the largest view away, but above what this camera shows.
    below = centre - np.array([0.0, 0.0, 120.0])
    camera.SetFocalPoint(*below)
    camera.SetPosition(*(below + np.array([0.0, 250.0, 0.0])))
    ready.segmentationSelector.setCurrentNode(first)
    ready.app.process_events()
    assert np.linalg.norm(np.array(camera.GetFocalPoint()) - centre) < 10


def test_both_patients_are_shown_while_the_module_is_left(ready, two_patients):
    ready.module.leave()
    assert visible(*two_patients) == [True, True, True]
    ready.module.select()
    ready.app.process_events()
    assert visible(*two_patients) == [False, False, True]


def test_a_thyroid_of_the_first_patient_that_the_user_shows_stays_shown(ready, two_patients):
    first, thyroid, second = two_patients
    thyroid.GetDisplayNode().SetVisibility(True)
    ready.wait(lambda: not ready.module.widget.panel.watch.pending)
    ready.app.process_events()
    ready.module.leave()
    ready.module.select()
    ready.app.process_events()
    assert visible(first, thyroid, second) == [False, True, True]


def test_after_loading_all_slices_pass_through_the_gland(ready):
    assert slices_through_the_gland(ready, ready.parameters.segmentation) == [True, True, True]


def test_a_generated_thyroid_moves_no_slice_that_passes_through_it(ready):
    import slicer

    def places() -> list:
        nodes = nodes_of(ready.app.scene, "vtkMRMLSliceNode")
        return [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist() for node in nodes]

    before = places()
    ready.click("generateButton")
    assert places() == before


def test_a_saved_scene_shows_the_patients_thyroid_in_slices_and_in_3d(ready, tmp_path):
    import slicer

    ready.click("fitButton")
    own = ready.parameters.segmentation.GetDisplayNode()
    name = ready.parameters.segmentation.GetName()
    for number in (1, 2):  # the second time the storage nodes exist already
        path = str(tmp_path / f"scene{number}.mrb")
        assert slicer.util.saveScene(path)
        ready.app.process_events()
        assert not own.GetSegmentVisibility3D(GLAND)
    ready.module.leave()
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    saved = slicer.util.getNode(name).GetDisplayNode()
    assert saved.GetSegmentVisibility(GLAND)
    assert saved.GetSegmentVisibility3D(GLAND)


def test_a_scene_saved_during_a_flip_shows_both_and_the_flip_goes_on(ready, tmp_path):
    import slicer

    ready.click("generateButton")
    ready.click("flipButton")
    nodes = ready.parameters.segmentation, ready.parameters.result
    both = Shown(nodes[0], GLAND), Shown(nodes[1], SEGMENT_ID)

    def shown() -> list[bool]:
        return [bool(each.node.GetDisplayNode().GetSegmentVisibility(each.segment_id)) for each in both]

    assert sorted(shown()) == [False, True]
    before, names = shown(), [node.GetName() for node in nodes]
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    ready.app.process_events()
    assert shown() == before
    ready.module.leave()
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    displays = [slicer.util.getNode(name).GetDisplayNode() for name in names]
    assert displays[0].GetSegmentVisibility(GLAND)
    assert displays[0].GetSegmentVisibility3D(GLAND)
    assert displays[1].GetSegmentVisibility(SEGMENT_ID)
    assert displays[1].GetSegmentVisibility3D(SEGMENT_ID)


def test_a_module_left_during_a_flip_shows_both_in_slices_and_in_3d(ready):
    ready.click("generateButton")
    ready.click("flipButton")
    own, thyroid = (node.GetDisplayNode() for node in (ready.parameters.segmentation, ready.parameters.result))
    ready.module.leave()
    assert own.GetSegmentVisibility(GLAND)
    assert own.GetSegmentVisibility3D(GLAND)
    assert thyroid.GetSegmentVisibility(SEGMENT_ID)
    assert thyroid.GetSegmentVisibility3D(SEGMENT_ID)


def test_a_thyroid_coloured_by_distance_is_shown_itself_in_3d_after_leaving_and_in_a_saved_scene(ready, tmp_path):
    import slicer

    ready.click("generateButton")
    ready.click("distanceMapButton")
    display, name = ready.parameters.result.GetDisplayNode(), ready.parameters.result.GetName()
    assert not display.GetVisibility3D()
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    ready.app.process_events()
    assert not display.GetVisibility3D()
    ready.module.leave()
    assert display.GetVisibility3D()
    ready.module.select()
    ready.app.process_events()
    assert not display.GetVisibility3D()
    ready.module.leave()
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    assert slicer.util.getNode(name).GetDisplayNode().GetVisibility3D()
    ready.module.select()
    ready.app.process_events()
    ready.click("distanceMapButton")
    assert slicer.util.getNode(name).GetDisplayNode().GetVisibility3D()


def test_none_is_a_choice_that_stays(ready):
    ready.choose("thyroidSelector", "none")
    assert ready.parameters.thyroidSegmentID == ""
    ready.module.leave()
    ready.module.select()
    ready.app.process_events()
    assert ready.parameters.thyroidSegmentID == ""
    assert ready.thyroidSelector.currentText == "none"
    ready.choose("thyroidSelector", "thyroid gland")
    assert ready.parameters.thyroidSegmentID == GLAND
