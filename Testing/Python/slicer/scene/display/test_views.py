"""Views are fitted to a gland once; afterwards only slices that miss it are moved."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.slicer.scene.display.overlay import show_ct
from ThyroidSynthLib.slicer.scene.display.views import fit_views, stand_on
from ThyroidSynthLib.slicer.scene.nodes import nodes_of
from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

GLAND = "thyroid_gland"


@pytest.fixture
def slices(slicer_app, scene):
    for name in ("Red", "Green", "Yellow", "1"):
        slicer_app.view(name)
    found = nodes_of(scene, "vtkMRMLSliceNode")
    assert len(found) == 3
    return found


def voxels_cut(segmentation, node) -> int:
    """Return how many voxels of the gland a slice passes through."""
    import slicer

    gland = volume_of_segment(segmentation, GLAND)
    matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    depth = (gland.to_ras(np.argwhere(gland.array)[:, ::-1]) - matrix[:3, 3]) @ matrix[:3, 2]
    return int(np.count_nonzero(np.abs(depth) < gland.spacing_mm.max() / 2))


def places(nodes) -> np.ndarray:
    import slicer

    return np.array([slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in nodes])


def test_after_loading_every_slice_cuts_most_of_the_gland_and_shows_all_of_it(scene, loaded, slices):
    show_ct(loaded.ct)
    fit_views(loaded.segmentation, GLAND)
    gland = volume_of_segment(loaded.segmentation, GLAND)
    for node, axis in zip(slices, ("k", "j", "i"), strict=True):
        most = gland.array.sum(axis=tuple({0, 1, 2} - {"kji".index(axis)})).max()
        assert voxels_cut(loaded.segmentation, node) >= 0.9 * most
        assert 60 < min(node.GetFieldOfView()[:2]) <= 200
    (camera,) = nodes_of(scene, "vtkMRMLCameraNode")
    points = gland.to_ras(np.argwhere(gland.array)[:, ::-1])
    np.testing.assert_allclose(camera.GetFocalPoint(), (points.min(axis=0) + points.max(axis=0)) / 2, atol=0.1)


def test_slices_through_the_gland_stay_where_the_user_has_put_them(scene, loaded, slices):
    fit_views(loaded.segmentation, GLAND)
    for node in slices:
        node.SetSliceOffset(node.GetSliceOffset() + 2.0)
        assert voxels_cut(loaded.segmentation, node)
    (camera,) = nodes_of(scene, "vtkMRMLCameraNode")
    before, position = places(slices), camera.GetPosition()
    stand_on(loaded.segmentation, GLAND)
    np.testing.assert_array_equal(places(slices), before)
    # One that misses the gland is moved, the others are not.
    slices[0].SetSliceOffset(slices[0].GetSliceOffset() + 80.0)
    assert not voxels_cut(loaded.segmentation, slices[0])
    stand_on(loaded.segmentation, GLAND)
    assert voxels_cut(loaded.segmentation, slices[0])
    np.testing.assert_array_equal(places(slices)[1:], before[1:])
    assert camera.GetPosition() == position


def test_an_oblique_slice_and_one_panned_away_are_moved_to_the_gland(loaded, slices, motion):
    fit_views(loaded.segmentation, GLAND)
    oblique, panned = slices[:2]
    oblique.SetSliceToRASByNTP(0.6, 0.0, 0.8, 0.0, 1.0, 0.0, 200.0, 0.0, 0.0, 0)
    panned.GetSliceToRAS().SetElement(0, 3, 300.0)
    panned.UpdateMatrices()
    stand_on(loaded.segmentation, GLAND)
    assert voxels_cut(loaded.segmentation, oblique)
    gland = volume_of_segment(loaded.segmentation, GLAND)
    centre = gland.to_ras(np.argwhere(gland.array)[:, ::-1]).mean(axis=0)
    assert abs(places([panned])[0, 0, 3] - centre[0]) < 15


def test_an_empty_segment_moves_nothing(loaded, slices):
    loaded.segmentation.GetSegmentation().AddEmptySegment("empty")
    before = places(slices)
    fit_views(loaded.segmentation, "empty")
    stand_on(loaded.segmentation, "empty")
    stand_on(loaded.segmentation, "missing")
    np.testing.assert_array_equal(places(slices), before)
