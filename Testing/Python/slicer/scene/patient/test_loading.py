"""Files are loaded as nodes at the place that the files define."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled, InputError
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.geometry.resampling import write_label
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume
from ThyroidSynthLib.slicer.scene.patient.loading import load_case
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, volume_of_segment


def storable_nodes(scene):
    """Nodes with content, their displays and storages; the scene keeps others of its own."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    kinds = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLDisplayNode", "vtkMRMLStorageNode")
    return {
        node.GetID() for node in nodes if any(node.IsA(kind) for kind in kinds) and not node.IsA("vtkMRMLColorNode")
    }


def test_a_dataset_case_is_loaded_at_its_place(loaded, source):
    case = read_case(source)
    for structure, mask in ((THYROID, case.thyroid_mask), (TRACHEA, case.trachea_mask)):
        segment_id = find_segment(loaded.segmentation, structure)
        assert segment_id == structure.name
        volume = volume_of_segment(loaded.segmentation, segment_id)
        assert volume.array.sum() == mask.volume.array.sum()
        np.testing.assert_allclose(volume.center_of_mass_ras(), mask.volume.center_of_mass_ras(), atol=1e-3)


def test_the_ct_has_the_geometry_and_values_of_its_file(loaded, source):
    import slicer

    file = read_volume(source.ct_path)
    np.testing.assert_allclose(grid_of_ct(loaded.ct).ijk_to_ras, file.ijk_to_ras, atol=1e-3)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded.ct), file.array)
    assert loaded.ct.GetDisplayNode().GetWindow() == 400


def test_segments_have_name_and_terminology(loaded):
    segment = loaded.segmentation.GetSegmentation().GetSegment("thyroid_gland")
    assert segment.GetName() == "thyroid gland"
    assert "SCT^69748006^Thyroid" in segment.GetTerminology()


def test_the_segmentation_refers_to_its_ct_and_is_in_the_same_folder(loaded, scene):
    import slicer

    role = loaded.segmentation.GetReferenceImageGeometryReferenceRole()
    assert loaded.segmentation.GetNodeReference(role) is loaded.ct
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in (loaded.ct, loaded.segmentation)}
    assert len(parents) == 1


def test_a_segmentation_file_keeps_all_its_segments(scene, loaded, tmp_path):
    loaded.segmentation.GetSegmentation().AddEmptySegment("bone", "bone")
    path = tmp_path / "patient.seg.nrrd"
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(loaded.segmentation)
    again = load_case(scene, find_cases(path)[0], ct=loaded.ct).segmentation
    assert set(again.GetSegmentation().GetSegmentIDs()) == {"thyroid_gland", "trachea", "bone"}
    before, after = (volume_of_segment(node, "thyroid_gland") for node in (loaded.segmentation, again))
    np.testing.assert_allclose(after.center_of_mass_ras(), before.center_of_mass_ras(), atol=1e-3)


def test_a_multi_label_file_uses_the_ct_in_the_scene(scene, loaded, tmp_path):
    thyroid = volume_of_segment(loaded.segmentation, "thyroid_gland")
    grid = grid_of_ct(loaded.ct)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    write_label(labels, grid, thyroid, 17)
    write_label(labels, grid, volume_of_segment(loaded.segmentation, "trachea"), 16)
    write_volume(Volume(labels, grid.ijk_to_ras), tmp_path / "all.nii.gz")
    (source,) = find_cases(tmp_path / "all.nii.gz", labels=class_map_labels("total-v2"))
    again = load_case(scene, source, ct=loaded.ct)
    assert again.ct is loaded.ct
    other = volume_of_segment(again.segmentation, "thyroid_gland")
    np.testing.assert_allclose(other.center_of_mass_ras(), thyroid.center_of_mass_ras(), atol=1e-3)


def test_a_file_that_cannot_be_read_leaves_no_node(scene, source, tmp_path, slicer_app):
    broken = tmp_path / "ct.nii.gz"
    broken.write_bytes(b"no image")
    before = storable_nodes(scene)
    with slicer_app.faults.expected(""), pytest.raises(InputError, match=r"ct\.nii\.gz"):
        load_case(scene, replace(source, ct_path=broken))
    assert storable_nodes(scene) == before


def test_a_cancelled_load_leaves_no_node(scene, source):
    before = storable_nodes(scene)
    with pytest.raises(Cancelled):
        load_case(scene, source, should_stop=lambda: True)
    assert storable_nodes(scene) == before
