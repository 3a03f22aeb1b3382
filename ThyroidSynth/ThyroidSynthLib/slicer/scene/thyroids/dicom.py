"""Prepare thyroids of the scene for the DICOM export of Slicer, which writes them as DICOM SEG of the CT's series."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.slicer.scene.terminology import mark_as
from ThyroidSynthLib.slicer.scene.volumes import image_of_volume, surface_of_segment

from .export import label_map_on_ct
from .present import SEGMENT_ID, thyroid_segment
from .segmentations import SEGMENT_NAME, colour_of, place_beside

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

# Series descriptions are DICOM texts of the type LO.
_LONGEST_TEXT = 64


def ct_of(node: vtkMRMLSegmentationNode) -> vtkMRMLScalarVolumeNode | None:
    """Return the CT for which a thyroid was made; None if there is none or it was removed."""
    return node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())


def image_uids(ct: vtkMRMLScalarVolumeNode) -> list[str]:
    """Return the SOP instance UIDs of the images that a CT was loaded from; none if it was not loaded from DICOM."""
    return (ct.GetAttribute("DICOM.instanceUIDs") or "").split()


def study_item(ct: vtkMRMLScalarVolumeNode) -> int:
    """Return the subject hierarchy item of the CT's study; 0 if it is in no study of a patient."""
    import slicer

    constants = slicer.vtkMRMLSubjectHierarchyConstants
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(ct.GetScene())
    item = hierarchy.GetItemByDataNode(ct)
    study = hierarchy.GetItemAncestorAtLevel(item, constants.GetDICOMLevelStudy()) if item else 0
    patient = hierarchy.GetItemAncestorAtLevel(study, constants.GetDICOMLevelPatient()) if study else 0
    return study if patient else 0


def add_for_dicom(node: vtkMRMLSegmentationNode) -> vtkMRMLSegmentationNode:
    """Add a copy of a thyroid as Slicer's DICOM export needs it, to be removed after the export.

    The copy is a label map on the grid of the CT's images, also if CT or thyroid were moved in the scene, and stands
    under the CT's study. Series and segment are called synthetic, because viewers show them with the patient's own
    images. The thyroid itself stays a surface.

    Raises
    ------
    InputError
        The thyroid has no CT that was loaded from DICOM, or is empty.
    OutputError
        Part of the thyroid lies outside the CT.
    """
    import slicer

    ct = ct_of(node)
    study = study_item(ct) if ct is not None and image_uids(ct) else 0
    if ct is None or not study:
        raise InputError(f"The CT of '{node.GetName()}' was not loaded from DICOM. Load it with Slicer's module DICOM.")
    voxels = label_map_on_ct(node.GetName(), surface_of_segment(node, thyroid_segment(node)), ct)
    scene = node.GetScene()
    copy = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", _called_synthetic(node.GetName()))
    copy.CreateDefaultDisplayNodes()
    copy.GetDisplayNode().SetVisibility(False)
    copy.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    copy.SetSourceRepresentationToBinaryLabelmap()
    copy.AddSegmentFromBinaryLabelmapRepresentation(
        image_of_volume(voxels.cropped()), _called_synthetic(SEGMENT_NAME), colour_of(node), SEGMENT_ID
    )
    segment = copy.GetSegmentation().GetSegment(SEGMENT_ID)
    mark_as(segment, THYROID)
    segment.SetTag("DICOM.SegmentAlgorithmType", "SEMIAUTOMATIC")
    segment.SetTag("DICOM.SegmentAlgorithmName", "ThyroidSynth")
    place_beside(copy, ct)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    # Slicer takes patient and study from the item's parent, and the CT may be in a folder of the study.
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(copy), study)
    return copy


def _called_synthetic(name: str) -> str:
    """Return a name as a DICOM text that says that it is synthetic.

    Slicer states no character set in the files, so that only ASCII is read the same everywhere.
    """
    decomposed = unicodedata.normalize("NFKD", name.replace("\\", "/"))
    plain = "".join(each for each in decomposed if not unicodedata.combining(each)).encode("ascii", "replace").decode()
    return f"synthetic: {plain}"[:_LONGEST_TEXT]
