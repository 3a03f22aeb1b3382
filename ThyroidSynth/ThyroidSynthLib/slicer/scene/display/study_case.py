"""What a reader sees of a case of a reader study: a surface without a name, always in the same style.

The case is a node of its own. Nothing of the thyroids that are rated is changed, and nothing of theirs, such
as a name or a colour, tells a synthetic one from a patient's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ThyroidSynthLib.geometry.grid import Grid, voxelise
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface, surface_from_mask
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode

ATTRIBUTE = "ThyroidSynth.StudyCase"

SPACING_MM = 1.5
"""Voxels through which every case goes, so that the traces of a segmentation's voxels tell nothing."""

_SEGMENT_ID = "case"
_COLOUR = (0.95, 0.72, 0.35)
_FILL_OPACITY = 0.2


def neutral(surface_ras: Surface) -> Surface:
    """Give a thyroid as it looks when it was segmented at 1.5 mm: the same for synthetic ones and patients'."""
    return surface_from_mask(voxelise(surface_ras, Grid.around(surface_ras, spacing_mm=SPACING_MM)))


def show_case(scene: vtkMRMLScene, surface_ras: Surface, label: str) -> vtkMRMLSegmentationNode:
    """Show a surface as the case with a neutral name, in place of the one before."""
    node = case_in(scene) or _add(scene)
    node.SetName(label)
    contents = node.GetSegmentation()
    polydata = polydata_of(surface_ras, normals=True)
    segment = contents.GetSegment(_SEGMENT_ID)
    if segment is None:
        node.AddSegmentFromClosedSurfaceRepresentation(polydata, label, _COLOUR, _SEGMENT_ID)
        display = node.GetDisplayNode()
        display.SetPreferredDisplayRepresentationName2D(CLOSED_SURFACE)
        display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
        display.SetSegmentOpacity2DFill(_SEGMENT_ID, _FILL_OPACITY)
    else:
        segment.SetName(label)
        segment.AddRepresentation(CLOSED_SURFACE, polydata)
    node.GetDisplayNode().SetVisibility(True)
    return node


def case_in(scene: vtkMRMLScene) -> vtkMRMLSegmentationNode | None:
    """Give the node that shows the case, if there is one."""
    nodes = scene.GetNodesByClass("vtkMRMLSegmentationNode")
    nodes.UnRegister(None)
    found = (nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems()))
    return next((node for node in found if node.GetAttribute(ATTRIBUTE)), None)


def is_case_shown(scene: vtkMRMLScene) -> bool:
    """Check whether a case is shown."""
    node = case_in(scene)
    return node is not None and bool(node.GetDisplayNode().GetVisibility())


def hide_case(scene: vtkMRMLScene) -> None:
    """Show no case."""
    node = case_in(scene)
    if node is not None:
        node.GetDisplayNode().SetVisibility(False)


def remove_case(scene: vtkMRMLScene) -> None:
    """Take the case away."""
    node = case_in(scene)
    if node is not None:
        for each in (node.GetDisplayNode(), node):
            scene.RemoveNode(each)


def _add(scene):
    node = scene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetAttribute(ATTRIBUTE, "1")
    # Shown again from the study itself when a saved scene is opened.
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSaveWithScene(False)
    node.SetSourceRepresentationToClosedSurface()
    return node
