"""The views draw what is in the scene, and the pixels show it."""

import numpy as np
import pytest

GREEN = (0, 255, 0)


def _greenish(picture: np.ndarray) -> np.ndarray:
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    return (green > red + 40) & (green > blue + 40)


@pytest.fixture
def green_gland(a_segmentation_node):
    segmentation = a_segmentation_node.GetSegmentation()
    segmentation.GetSegment("thyroid_gland").SetColor(0.0, 1.0, 0.0)
    segmentation.RemoveSegment("trachea")
    return a_segmentation_node


def test_a_volume_is_drawn_in_slice_views(slicer_app, a_ct_node):
    import slicer

    before = slicer_app.view("Red").grab()
    # Also the views that do not draw yet take the volume, for their nodes are there from the start.
    slicer.util.setSliceViewerLayers(background=a_ct_node, fit=True)
    assert slicer_app.view("Green").grab().std() > 10
    after = slicer_app.view("Red").grab()
    assert before.max() < 60
    assert after.std() > 10


def test_a_segmentation_is_drawn_over_the_volume_in_all_views(slicer_app, green_gland, four_views):
    pictures = {name: slicer_app.view(name).grab() for name in ("Red", "Green", "Yellow", "1")}
    for name, picture in pictures.items():
        assert 0.005 < _greenish(picture).mean() < 0.5, name
    green_gland.GetDisplayNode().SetVisibility(False)
    for name in pictures:
        assert _greenish(slicer_app.view(name).grab()).mean() == 0, name


def test_a_change_of_a_segment_asks_for_a_redraw(slicer_app, green_gland, four_views):
    import vtk

    view = slicer_app.view("1")
    view.render()
    assert view.requested_renders == 0
    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(5)
    sphere.Update()
    green_gland.GetSegmentation().GetSegment("thyroid_gland").AddRepresentation("Closed surface", sphere.GetOutput())
    assert view.requested_renders > 0


def test_pictures_are_put_together(slicer_app, four_views, picture_folder):
    from standin import pictures

    sheet = four_views("Stand-in: segmentation over the CT")
    path = pictures.save(sheet, picture_folder / "standin_four_views.png")
    assert path.stat().st_size > 5000
    assert sheet.shape[2] == 3
    assert sheet.shape[0] > 800


def test_the_panel_is_pictured_beside_the_views(slicer_app, load_module, four_views, a_ct_node, picture_folder):
    from pathlib import Path

    loaded = load_module(Path(__file__).parent / "module" / "StandinProbe.py")
    loaded.select()
    loaded.widget.node.volume = a_ct_node
    path = slicer_app.screenshot(loaded, "Stand-in: panel and views", picture_folder / "standin_panel.png")
    assert path.stat().st_size > 5000


def test_the_layout_manager_knows_its_views(slicer_app):
    import slicer

    manager = slicer.app.layoutManager()
    assert manager.sliceViewNames() == ("Red", "Green", "Yellow")
    assert manager.sliceWidget("Red").mrmlSliceNode().GetOrientation() == "Axial"
    assert manager.sliceWidget("Nobody") is None
    assert manager.threeDWidget(0).threeDView().cameraNode().IsA("vtkMRMLCameraNode")
    with pytest.raises(AttributeError, match="not allowed"):
        manager.sliceWidget("Red").colour = 1


def test_views_leave_neither_nodes_nor_observers_behind(slicer_app, scene):
    from standin.strictness import node_ids, observer_count

    slicer_app.view("Red")
    slicer_app.close()
    before, observers = node_ids(scene), observer_count(scene)
    slicer_app.view("Red")
    slicer_app.close()
    assert observer_count(scene) == observers
    assert {each for each in node_ids(scene) - before if "SubjectHierarchy" not in each} == set()
