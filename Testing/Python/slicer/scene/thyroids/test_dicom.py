"""Thyroids as Slicer's DICOM export needs them: in the CT's study, on the grid of its images, called synthetic."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.slicer.scene.thyroids.dicom import add_for_dicom, ct_of, image_uids, study_item
from ThyroidSynthLib.slicer.scene.thyroids.present import SEGMENT_ID, is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import add_generated_thyroid
from ThyroidSynthLib.slicer.scene.volumes import ijk_to_local, surface_of_segment, volume_of_segment

UIDS = "1.2.3.1 1.2.3.2 1.2.3.3"


@pytest.fixture
def hierarchy(scene):
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


@pytest.fixture
def dicom_ct(loaded, hierarchy):
    """The CT as Slicer's DICOM module leaves it: see `DICOMPlugin.addSeriesInSubjectHierarchy`."""
    import slicer

    item = hierarchy.GetItemByDataNode(loaded.ct)
    loaded.ct.SetAttribute("DICOM.instanceUIDs", UIDS)
    hierarchy.SetItemUID(item, "DICOM", "1.2.3")
    hierarchy.SetItemUID(item, "DICOMInstanceUID", UIDS)
    slicer.vtkSlicerSubjectHierarchyModuleLogic.InsertDicomSeriesInHierarchy(hierarchy, "patient 1", "1.2", "1.2.3")
    hierarchy.SetItemAttribute(hierarchy.GetItemByUID("DICOM", "patient 1"), "DICOM.PatientName", "Doe^Jane")
    hierarchy.SetItemAttribute(hierarchy.GetItemByUID("DICOM", "1.2"), "DICOM.StudyInstanceUID", "1.2")
    return loaded.ct


@pytest.fixture
def thyroid(scene, dicom_ct, own_surface, record):
    return add_generated_thyroid(scene, "Generated thyroid", own_surface, ct=dicom_ct, record=record)


def referenced(hierarchy, node) -> str:
    return hierarchy.GetItemAttribute(hierarchy.GetItemByDataNode(node), "DICOM.ReferencedInstanceUIDs")


def test_a_thyroid_is_in_the_study_of_its_ct_and_refers_to_its_images(thyroid, dicom_ct, hierarchy):
    import vtk

    assert ct_of(thyroid) is dicom_ct
    assert image_uids(dicom_ct) == UIDS.split()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(thyroid)) == hierarchy.GetItemByUID("DICOM", "1.2")
    assert referenced(hierarchy, thyroid) == UIDS
    found = vtk.vtkIdList()
    hierarchy.GetItemsReferencedFromItemByDICOM(hierarchy.GetItemByDataNode(thyroid), found)
    assert [found.GetId(0)] == [hierarchy.GetItemByDataNode(dicom_ct)]


def test_the_copy_is_a_label_map_on_the_grid_of_the_ct(thyroid, dicom_ct):
    copy = add_for_dicom(thyroid)
    segment = copy.GetSegmentation().GetSegment(SEGMENT_ID)
    # Slicer looks for this name, and calls a segment without it empty.
    assert segment.GetRepresentation("Binary labelmap").GetPointData().GetArray("ImageScalars").GetRange() == (0, 1)
    voxels = volume_of_segment(copy, SEGMENT_ID)
    assert voxels.array.sum() * voxels.voxel_volume_ml == pytest.approx(
        surface_of_segment(thyroid, SEGMENT_ID).volume / 1000, rel=0.02
    )
    offset = (np.linalg.inv(ijk_to_local(dicom_ct)) @ voxels.ijk_to_ras)[:3, 3]
    assert offset == pytest.approx(offset.round(), abs=1e-4)
    assert voxels.ijk_to_ras[:3, :3] == pytest.approx(ijk_to_local(dicom_ct)[:3, :3])
    assert copy.GetNodeReference(copy.GetReferenceImageGeometryReferenceRole()) is dicom_ct
    # The thyroid itself is still a surface that Slicer draws at once.
    assert not thyroid.GetSegmentation().ContainsRepresentation("Binary labelmap")
    assert not is_edited_by_hand(thyroid)


def test_the_copy_has_the_codes_and_texts_of_a_dicom_segment(thyroid):
    import slicer
    import vtk

    copy = add_for_dicom(thyroid)
    segment = copy.GetSegmentation().GetSegment(SEGMENT_ID)
    entry = slicer.vtkSlicerTerminologyEntry()
    slicer.app.moduleLogic("Terminologies").DeserializeTerminologyEntry(segment.GetTerminology(), entry)
    assert entry.GetCategoryObject().GetCodeMeaning() == "Anatomical Structure"
    assert (entry.GetTypeObject().GetCodeValue(), entry.GetTypeObject().GetCodingSchemeDesignator()) == (
        "69748006",
        "SCT",
    )
    tags = {}
    for name in ("DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName"):
        value = vtk.mutable("")
        assert segment.GetTag(name, value)
        tags[name] = str(value)
    assert list(tags.values()) == ["SEMIAUTOMATIC", "ThyroidSynth"]
    # The name of the node becomes the description of the series.
    assert copy.GetName() == "synthetic: Generated thyroid"
    assert segment.GetName() == "synthetic: thyroid gland"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x" * 80, "synthetic: " + "x" * 53),
        ("Schilddrüse", "synthetic: Schilddruse"),
        ("甲状腺 2", "synthetic: ??? 2"),
        ("left\\right", "synthetic: left/right"),
    ],
)
def test_the_name_is_one_dicom_text_that_every_viewer_reads(thyroid, name, text):
    thyroid.SetName(name)
    assert add_for_dicom(thyroid).GetName() == text


def test_the_copy_is_under_study_and_patient_also_if_the_ct_is_in_a_folder(thyroid, dicom_ct, hierarchy):
    study = hierarchy.GetItemByUID("DICOM", "1.2")
    folder = hierarchy.CreateFolderItem(study, "reconstructions")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(dicom_ct), folder)
    copy = add_for_dicom(thyroid)
    parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(copy))
    assert parent == study == study_item(dicom_ct)
    assert hierarchy.GetItemAttribute(hierarchy.GetItemParent(parent), "DICOM.PatientName") == "Doe^Jane"
    assert referenced(hierarchy, copy) == UIDS


def test_a_thyroid_that_was_moved_with_its_ct_is_exported_where_the_images_are(thyroid, dicom_ct, transform):
    before = volume_of_segment(add_for_dicom(thyroid), SEGMENT_ID)
    for node in (thyroid, dicom_ct):
        node.SetAndObserveTransformNodeID(transform.GetID())
    copy = add_for_dicom(thyroid)
    assert copy.GetParentTransformNode() is None
    after = volume_of_segment(copy, SEGMENT_ID)
    assert after.ijk_to_ras == pytest.approx(before.ijk_to_ras)
    assert (after.array != before.array).mean() < 0.01


def test_a_thyroid_that_was_moved_alone_is_exported_where_it_is_seen(thyroid, scene):
    import slicer

    before = volume_of_segment(add_for_dicom(thyroid), SEGMENT_ID)
    shift = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[:3, 3] = (3.0, 0.0, -6.0)
    slicer.util.updateTransformMatrixFromArray(shift, matrix)
    thyroid.SetAndObserveTransformNodeID(shift.GetID())
    after = volume_of_segment(add_for_dicom(thyroid), SEGMENT_ID)

    def centre(volume):
        index = np.argwhere(volume.array)[:, ::-1].mean(axis=0)
        return volume.ijk_to_ras[:3, :3] @ index + volume.ijk_to_ras[:3, 3]

    assert centre(after) - centre(before) == pytest.approx([3.0, 0.0, -6.0], abs=0.3)
    matrix[2, 3] = 500.0
    slicer.util.updateTransformMatrixFromArray(shift, matrix)
    with pytest.raises(OutputError, match="outside"):
        add_for_dicom(thyroid)


def test_a_thyroid_without_images_is_refused_and_leaves_nothing(scene, loaded, own_surface, hierarchy):
    for ct in (loaded.ct, None):
        node = add_generated_thyroid(scene, "g", own_surface, ct=ct)
        before = scene.GetNumberOfNodes()
        with pytest.raises(InputError, match="not loaded from DICOM"):
            add_for_dicom(node)
        assert scene.GetNumberOfNodes() == before
        assert referenced(hierarchy, node) == ""
