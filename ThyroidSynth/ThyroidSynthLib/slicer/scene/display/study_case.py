"""The case that a reader of a reader study sees: an anonymous surface, always in the same style.

It is shown by a node of its own, so that neither name nor colour reveals whether a thyroid is synthetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.slicer.scene.nodes import add_hidden_node, node_with, remove_node
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode

ATTRIBUTE = "ThyroidSynth.StudyCase"

SPACING_MM = 1.5
"""Voxel size at which every case is resampled, so that steps of voxels do not reveal a segmentation."""

_SEGMENT_ID = "case"
_COLOUR = (0.95, 0.72, 0.35)
_FILL_OPACITY = 0.2


def neutral(surface_ras: Surface) -> Surface:
    """Return a thyroid as it would look segmented with voxels of `SPACING_MM`."""
    return surface_from_mask(voxelise(surface_ras, Grid.around(surface_ras, spacing_mm=SPACING_MM)))


def show_case(scene: vtkMRMLScene, surface_ras: Surface, label: str) -> vtkMRMLSegmentationNode:
    """Show a surface as the case with a neutral name, replacing the previous case."""
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
    """Return the node that shows the case; None when there is none."""
    return node_with(scene, "vtkMRMLSegmentationNode", ATTRIBUTE, "1")


def is_case_shown(scene: vtkMRMLScene) -> bool:
    """Check whether a case is shown."""
    node = case_in(scene)
    return node is not None and bool(node.GetDisplayNode().GetVisibility())


def hide_case(scene: vtkMRMLScene) -> None:
    """Hide the case."""
    node = case_in(scene)
    if node is not None:
        node.GetDisplayNode().SetVisibility(False)


def remove_case(scene: vtkMRMLScene) -> None:
    """Remove the case."""
    node = case_in(scene)
    if node is not None:
        remove_node(node)


def _add(scene):
    # Not saved: when a scene is opened, the case is shown again from the study.
    node = add_hidden_node(scene, "vtkMRMLSegmentationNode", "ThyroidSynth case", ATTRIBUTE, "1")
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSaveWithScene(False)
    node.SetSourceRepresentationToClosedSurface()
    return node
