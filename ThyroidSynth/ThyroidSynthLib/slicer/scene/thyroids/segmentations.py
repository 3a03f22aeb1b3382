"""Segmentation nodes of generated thyroids, and how their surface is replaced live."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.slicer.scene.nodes import nodes_of
from ThyroidSynthLib.slicer.scene.terminology import mark_as, mark_as_named, organ_colour
from ThyroidSynthLib.slicer.scene.volumes import BINARY_LABELMAP, CLOSED_SURFACE, EmptySegment, surface_of_segment

from .present import SEGMENT_ID, is_edited_by_hand, note_written
from .records import ATTRIBUTE, GENERATED, SOURCE_ROLE, ThyroidRecord, read_record, write_record

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

SEGMENT_NAME = "thyroid gland"

GENERATED_COLOUR = (0.20, 0.78, 0.55)
EDITED_COLOUR = (0.98, 0.75, 0.20)
KEPT_COLOUR = (0.45, 0.62, 1.00)
"""Colour (red, green, blue, 0 to 1) of each kind of thyroid until the user gives it another one.

They differ from the patient's own gland (`terminology.COLOURS`) and from each other, on a grey CT and in dark views.
"""
KIND_COLOURS = (GENERATED_COLOUR, EDITED_COLOUR, KEPT_COLOUR)
_FILL_OPACITY = 0.25

COMPLETION_ID = "completion"
_COMPLETION_NAME = "completed by the model"
_COMPLETION_COLOUR = (0.85, 0.85, 0.85)
_COMPLETION_OPACITY = 0.4

_ORGAN_PREFIX = "organ_"


def add_generated_thyroid(
    scene: vtkMRMLScene,
    name: str,
    surface_ras: Surface,
    *,
    ct: vtkMRMLScalarVolumeNode | None = None,
    record: ThyroidRecord | None = None,
    patient: vtkMRMLSegmentationNode | None = None,
) -> vtkMRMLSegmentationNode:
    """Add a thyroid to the scene as a new segmentation node with one segment.

    The segment's source representation is the surface; a label map is created only for export.

    Parameters
    ----------
    name : str
        Name of the node; made unique.
    surface_ras : Surface
        Closed surface in `ras_mm`.
    ct : vtkMRMLScalarVolumeNode, optional
        The patient's CT, for the reference geometry and the place in the subject hierarchy.
    patient : vtkMRMLSegmentationNode, optional
        The segmentation of the patient for whom it is made.
    """
    colour = GENERATED_COLOUR if record is None or record.kind == GENERATED else EDITED_COLOUR
    segmentation = scene.CreateNodeByClass("vtkMRMLSegmentationNode")
    segmentation.UnRegister(None)
    segmentation.SetName(scene.GenerateUniqueName(name))
    # Before the node is in the scene: selectors read a node's attributes only when it is added.
    _store_record(segmentation, record)
    scene.AddNode(segmentation)
    segmentation.CreateDefaultDisplayNodes()
    if ct is not None:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    # Before the first segment, or the surface is converted to a label map and back.
    segmentation.SetSourceRepresentationToClosedSurface()
    segmentation.AddSegmentFromClosedSurfaceRepresentation(
        polydata_of(surface_ras, normals=True), SEGMENT_NAME, colour, SEGMENT_ID
    )
    mark_as(segmentation.GetSegmentation().GetSegment(SEGMENT_ID), THYROID)
    note_written(segmentation)
    display = segmentation.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName2D(CLOSED_SURFACE)
    display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
    display.SetSegmentOpacity2DFill(SEGMENT_ID, _FILL_OPACITY)
    display.SetSegmentOpacity2DOutline(SEGMENT_ID, 1.0)
    if patient is not None:
        segmentation.SetNodeReferenceID(SOURCE_ROLE, patient.GetID())
    if ct is not None:
        place_beside(segmentation, ct)
    return segmentation


def replace_surface(
    segmentation: vtkMRMLSegmentationNode, surface_ras: Surface, *, record: ThyroidRecord | None = None
) -> None:
    """Replace the surface of a generated thyroid; views are redrawn, no camera moves.

    Raises
    ------
    InputError
        The node is not one of the module's thyroids, or was edited by hand.
    """
    segment = segmentation.GetSegmentation().GetSegment(SEGMENT_ID)
    if not is_generated(segmentation) or segment is None:
        raise InputError(
            f"'{segmentation.GetName()}' is not a thyroid made by ThyroidSynth and was not changed. "
            "Choose a generated one, or make a new one."
        )
    if is_edited_by_hand(segmentation):
        raise InputError(f"'{segmentation.GetName()}' was edited by hand and was not changed. Make a new thyroid.")
    _put_surface(segmentation, surface_ras)
    _store_record(segmentation, record)


def _put_surface(segmentation, surface_ras: Surface) -> None:
    # A label map, such as one that the Segment Editor shows, would no longer match, and Slicer would still show it.
    if segmentation.GetSegmentation().ContainsRepresentation(BINARY_LABELMAP):
        segmentation.RemoveBinaryLabelmapRepresentation()
    polydata = polydata_of(surface_ras, normals=True)
    _to_local(segmentation, polydata)
    # With another object every slice view would build a new pipeline, which takes milliseconds in each.
    segment = segmentation.GetSegmentation().GetSegment(SEGMENT_ID)
    segment.GetRepresentation(CLOSED_SURFACE).ShallowCopy(polydata)
    note_written(segmentation)
    segment.Modified()


def put_under(segmentation: vtkMRMLSegmentationNode, transform_id: str) -> None:
    """Put a thyroid under a transform, which must be rigid, without moving it."""
    surface, record = surface_of_segment(segmentation, SEGMENT_ID), read_record(segmentation)
    segmentation.SetAndObserveTransformNodeID(transform_id)
    _put_surface(segmentation, surface)
    if record is not None:
        write_record(segmentation, record)


def show_completion(segmentation: vtkMRMLSegmentationNode, surface_ras: Surface | None) -> None:
    """Show the part that a model adds beyond the scan, in `ras_mm`, as a pale second segment; None removes it."""
    contents = segmentation.GetSegmentation()
    if contents.GetSegment(COMPLETION_ID) is not None:
        contents.RemoveSegment(COMPLETION_ID)
    if surface_ras is None:
        return
    polydata = polydata_of(surface_ras, normals=True)
    _to_local(segmentation, polydata)
    segmentation.AddSegmentFromClosedSurfaceRepresentation(
        polydata, _COMPLETION_NAME, _COMPLETION_COLOUR, COMPLETION_ID
    )
    display = segmentation.GetDisplayNode()
    display.SetSegmentOpacity3D(COMPLETION_ID, _COMPLETION_OPACITY)
    display.SetSegmentOpacity2DFill(COMPLETION_ID, _FILL_OPACITY)


def show_organs(segmentation: vtkMRMLSegmentationNode, surfaces_ras: Mapping[str, Surface]) -> None:
    """Show drawn organs, surfaces in `ras_mm` by name, as further segments of a thyroid, instead of those it has."""
    contents = segmentation.GetSegmentation()
    for segment_id in organ_segments(segmentation).values():
        contents.RemoveSegment(segment_id)
    for name, surface in surfaces_ras.items():
        segment_id = _ORGAN_PREFIX + name
        polydata = polydata_of(surface, normals=True)
        _to_local(segmentation, polydata)
        segmentation.AddSegmentFromClosedSurfaceRepresentation(
            polydata, name.replace("_", " "), organ_colour(name), segment_id
        )
        mark_as_named(contents.GetSegment(segment_id), name)
        segmentation.GetDisplayNode().SetSegmentOpacity2DFill(segment_id, _FILL_OPACITY)


def organ_segments(segmentation: vtkMRMLSegmentationNode) -> dict[str, str]:
    """Return the IDs of the segments of the organs that were drawn around a thyroid, by the name of the organ."""
    ids = segmentation.GetSegmentation().GetSegmentIDs()
    return {each.removeprefix(_ORGAN_PREFIX): each for each in ids if each.startswith(_ORGAN_PREFIX)}


def organ_surfaces(segmentation: vtkMRMLSegmentationNode) -> dict[str, Surface]:
    """Return the surfaces of the organs that were drawn around a thyroid, in `ras_mm`; emptied ones are left out."""
    found = {}
    for name, segment_id in organ_segments(segmentation).items():
        with suppress(EmptySegment):
            found[name] = surface_of_segment(segmentation, segment_id)
    return found


def colour_of(segmentation: vtkMRMLSegmentationNode) -> tuple[float, float, float]:
    """Return the colour of a thyroid; grey if its segment was removed."""
    segment = segmentation.GetSegmentation().GetSegment(SEGMENT_ID)
    return tuple(segment.GetColor()) if segment is not None else _COMPLETION_COLOUR


def is_generated(segmentation: vtkMRMLSegmentationNode) -> bool:
    """Check whether a segmentation node is one of the module's thyroids."""
    return segmentation.GetAttribute(ATTRIBUTE) is not None


def generated_thyroids(scene: vtkMRMLScene) -> list[vtkMRMLSegmentationNode]:
    """Return the module's thyroids in a scene, oldest first."""
    return [node for node in nodes_of(scene, "vtkMRMLSegmentationNode") if is_generated(node)]


def place_beside(segmentation: vtkMRMLSegmentationNode, ct: vtkMRMLScalarVolumeNode) -> None:
    """Move a segmentation in the subject hierarchy to the study or folder of the CT, and note the CT's images there.

    Slicer's DICOM modules find by this note what a segmentation was made on.
    """
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(segmentation.GetScene())
    item, beside = hierarchy.GetItemByDataNode(segmentation), hierarchy.GetItemByDataNode(ct)
    if item and beside:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(beside))
        images = hierarchy.GetItemUID(beside, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMInstanceUIDName())
        if images:
            note = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMReferencedInstanceUIDsAttributeName()
            hierarchy.SetItemAttribute(item, note, images)


def _store_record(segmentation, record: ThyroidRecord | None) -> None:
    if record is not None:
        write_record(segmentation, record)
    elif segmentation.GetAttribute(ATTRIBUTE) is None:
        segmentation.SetAttribute(ATTRIBUTE, "{}")


def _to_local(segmentation, polydata) -> None:
    """Transform a polydata in `ras_mm` to the coordinates below the node's parent transform."""
    from vtkmodules.vtkCommonTransforms import vtkGeneralTransform
    from vtkmodules.vtkFiltersGeneral import vtkTransformPolyDataFilter

    node = segmentation.GetParentTransformNode()
    if node is None:
        return
    transform = vtkGeneralTransform()
    node.GetTransformFromWorld(transform)
    transformed = vtkTransformPolyDataFilter()
    transformed.SetTransform(transform)
    transformed.SetInputData(polydata)
    transformed.Update()
    polydata.ShallowCopy(transformed.GetOutput())
