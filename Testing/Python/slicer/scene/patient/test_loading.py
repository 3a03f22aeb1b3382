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
from ThyroidSynthLib.slicer.scene.patient.loading import load_case, load_segmentation
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


@pytest.mark.parametrize(
    ("names", "remark"),
    [
        ({1: "thyroid left", 2: "trachea"}, "only the left lobe of the thyroid is segmented"),
        ({1: "thyroid", 2: "Thyroid", 3: "trachea"}, "several segmentations that may be the thyroid"),
        ({1: "thyroid", 2: "trachea"}, None),
    ],
)
def test_a_doubtful_choice_of_segments_is_noted(scene, loaded, tmp_path, names, remark):
    from ThyroidSynthLib.imaging.label_map_files import write_label_map

    array = np.zeros((4, 4, 4), dtype=np.uint8)
    array[1, 1, : len(names)] = list(names)
    path = tmp_path / "patient.seg.nrrd"
    write_label_map(Volume(array, np.eye(4)), path, names=names)
    notes = load_case(scene, find_cases(path)[0]).notes
    assert len(notes) == (remark is not None)
    assert remark is None or remark in notes[0]


@pytest.mark.parametrize("surfaces", [False, True])
def test_lobes_of_a_segmentation_are_joined_and_kept(scene, loaded, tmp_path, surfaces):
    from ThyroidSynthLib.slicer.scene.lobes import join_lobes
    from ThyroidSynthLib.slicer.scene.terminology import thyroid_lobes
    from ThyroidSynthLib.slicer.scene.volumes import image_of_volume

    whole = volume_of_segment(loaded.segmentation, "thyroid_gland")
    middle = whole.array.shape[2] // 2
    loaded.segmentation.RemoveSegment("thyroid_gland")
    for name, cut in (("thyroid_left", slice(None, middle)), ("thyroid_right", slice(middle, None))):
        array = np.zeros_like(whole.array)
        array[:, :, cut] = whole.array[:, :, cut]
        lobe = Volume(array, whole.ijk_to_ras).cropped()
        loaded.segmentation.AddSegmentFromBinaryLabelmapRepresentation(image_of_volume(lobe), name, [1, 0, 0], name)
    if surfaces:
        loaded.segmentation.CreateClosedSurfaceRepresentation()
        loaded.segmentation.SetSourceRepresentationToClosedSurface()
        joined = join_lobes(loaded.segmentation, thyroid_lobes(loaded.segmentation))
        found, node = volume_of_segment(loaded.segmentation, joined), loaded.segmentation
    else:
        path = tmp_path / "patient.seg.nrrd"
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(path))
        assert storage.WriteData(loaded.segmentation)
        again = load_case(scene, find_cases(path)[0], ct=loaded.ct)
        assert any("joined from its parts (thyroid_right, thyroid_left)" in note for note in again.notes)
        node = again.segmentation
        found = volume_of_segment(node, find_segment(node, THYROID))
        assert found.array.sum() == whole.array.sum()
    assert {"thyroid_left", "thyroid_right"} < set(node.GetSegmentation().GetSegmentIDs())
    assert found.array.sum() * found.voxel_volume_ml == pytest.approx(
        whole.array.sum() * whole.voxel_volume_ml, rel=0.1
    )
    np.testing.assert_allclose(found.center_of_mass_ras(), whole.center_of_mass_ras(), atol=0.3)


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


@pytest.mark.parametrize("content", [b"no image", b""])
def test_a_ct_that_cannot_be_read_does_not_cost_the_segmentation(scene, source, tmp_path, content):
    broken = tmp_path / "ct.nii.gz"
    broken.write_bytes(content)
    again = load_case(scene, replace(source, ct_path=broken))
    assert again.ct is None
    assert any("CT is left out" in note and str(broken) in note for note in again.notes)
    assert volume_of_segment(again.segmentation, "thyroid_gland").array.any()


def test_a_segmentation_that_cannot_be_read_leaves_no_node(scene, source, tmp_path):
    (tmp_path / "trachea.nii.gz").write_bytes(b"no image")
    before = storable_nodes(scene)
    with pytest.raises(InputError, match=r"trachea\.nii\.gz"):
        load_case(scene, replace(source, trachea_paths=(tmp_path / "trachea.nii.gz",)))
    assert storable_nodes(scene) == before


def test_a_segmentation_file_that_refers_to_another_file_is_not_given_to_slicer(scene, tmp_path):
    path = tmp_path / "x.seg.nrrd"
    path.write_text(
        "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 5 5 5\nencoding: raw\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\ndata file: /etc/passwd\n"
        "Segment0_ID:=thyroid\nSegment0_LabelValue:=1\n\n"
    )
    before = storable_nodes(scene)
    with pytest.raises(InputError, match=r"x\.seg\.nrrd keeps its voxels in another place"):
        load_segmentation(scene, path, name="x")
    assert storable_nodes(scene) == before


def test_a_cancelled_load_leaves_no_node(scene, source):
    before = storable_nodes(scene)
    with pytest.raises(Cancelled):
        load_case(scene, source, should_stop=lambda: True)
    assert storable_nodes(scene) == before
