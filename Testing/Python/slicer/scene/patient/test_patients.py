"""The patient proposed in a scene, and quality control of it."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.dataset.quality import CUT_BY_BORDER, check_case
from ThyroidSynthLib.geometry.resampling import write_label
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.slicer.scene.patient.patients import case_of_patient, height_mm, propose_patient
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import add_generated_thyroid
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, volume_of_segment


def checked(loaded, *, ct):
    volumes = (volume_of_segment(loaded.segmentation, name) for name in ("thyroid_gland", "trachea"))
    return check_case(case_of_patient("x", *volumes, segmentation=loaded.segmentation, ct=ct))


def test_an_empty_scene_proposes_nothing(scene):
    assert propose_patient(scene) == (None, None)


def test_the_patients_segmentation_is_proposed_with_its_ct_and_no_generated_thyroid(scene, loaded, own_surface):
    add_generated_thyroid(scene, "Generated thyroid", own_surface, ct=loaded.ct)
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "lungs")
    other.GetSegmentation().AddEmptySegment("lung", "lung")
    assert propose_patient(scene) == (loaded.ct, loaded.segmentation)
    # A second volume changes nothing: the segmentation refers to its own.
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    assert propose_patient(scene) == (loaded.ct, loaded.segmentation)


def test_a_single_ct_is_proposed_and_one_of_two_is_not(scene, a_ct_node):
    assert propose_patient(scene) == (a_ct_node, None)
    import slicer

    slicer.util.addVolumeFromArray(np.zeros((3, 3, 3)), name="second")
    assert propose_patient(scene) == (None, None)


def test_a_label_map_is_not_proposed_as_ct(scene, a_ct_node):
    import slicer

    slicer.util.addVolumeFromArray(np.zeros((3, 3, 3)), name="labels", nodeClassName="vtkMRMLLabelMapVolumeNode")
    assert propose_patient(scene) == (a_ct_node, None)


@pytest.mark.parametrize("with_ct", [True, False])
def test_a_complete_gland_is_accepted_with_the_scan_known_from_ct_or_segmentation(loaded, with_ct):
    verdict = checked(loaded, ct=loaded.ct if with_ct else None)
    assert verdict.accepted
    assert 1 <= verdict.measurements.border_distance_voxels < 100


@pytest.mark.parametrize("with_ct", [True, False])
def test_a_gland_at_the_border_is_rejected_as_cut(scene, loaded, with_ct):
    import slicer

    name = "thyroid_gland"
    array = slicer.util.arrayFromSegmentBinaryLabelmap(loaded.segmentation, name, loaded.ct).copy()
    far = array.shape[0] - 1 - int(np.nonzero(array)[0].max())
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.roll(array, far, axis=0), loaded.segmentation, name, loaded.ct)
    assert CUT_BY_BORDER in checked(loaded, ct=loaded.ct if with_ct else None).reasons


def test_a_gland_stored_as_surface_is_checked_for_the_border(scene, loaded, own_surface):
    top = own_surface.moved(own_surface.vertices + np.array([0.0, 0.0, 60.0]))
    node = add_generated_thyroid(scene, "x", top, ct=loaded.ct)
    trachea = volume_of_segment(loaded.segmentation, "trachea")
    thyroid = volume_of_segment(node, "thyroid_gland")
    verdict = check_case(case_of_patient("x", thyroid, trachea, segmentation=node, ct=loaded.ct))
    assert CUT_BY_BORDER in verdict.reasons


def test_the_height_of_a_structure_is_its_craniocaudal_extent(loaded):
    matrix = np.diag([1.0, 2.0, 3.0, 1.0])
    assert height_mm(Volume(np.ones((4, 5, 6), np.uint8), matrix)) == pytest.approx(12.0)
    lying = np.array([[0, 0, 3.0, 0], [0, 2.0, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])
    assert height_mm(Volume(np.ones((4, 5, 6), np.uint8), lying)) == pytest.approx(6.0)


def test_an_island_at_the_border_does_not_cut_the_gland(loaded):
    thyroid, trachea = (volume_of_segment(loaded.segmentation, name) for name in ("thyroid_gland", "trachea"))
    grid = grid_of_ct(loaded.ct)
    whole = np.zeros(grid.shape, np.uint8)
    write_label(whole, grid, thyroid, 1)
    whole[0, 0, :2] = 1
    detached = Volume(whole, grid.ijk_to_ras).cropped()

    def measured(volume):
        return check_case(case_of_patient("x", volume, trachea, segmentation=loaded.segmentation, ct=loaded.ct))

    clean, with_island = measured(thyroid), measured(detached)
    assert with_island.measurements.islands_removed == 1
    assert CUT_BY_BORDER not in with_island.reasons
    assert with_island.measurements.border_distance_voxels == clean.measurements.border_distance_voxels
