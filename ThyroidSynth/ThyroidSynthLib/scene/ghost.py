"""The patient's own thyroid as a ghost: a thin outline over the slices and a pale shell in 3D.

While it is shown, the patient's segmentation, which would lie in the same place, need not be. It is a
model node of its own, neither listed nor saved, because nothing of the patient's is changed for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..anatomy.polydata import polydata_of

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ..anatomy.surface import Surface

# Attribute with the segment, and role of the reference to its node.
_SEGMENT = "ThyroidSynth.GhostOf"
_COLOUR = (1.0, 1.0, 1.0)
_OPACITY_3D = 0.25
_OUTLINE_PIXELS = 1


def show_ghost(
    scene: vtkMRMLScene, surface_ras: Surface, segmentation: vtkMRMLSegmentationNode, segment_id: str
) -> vtkMRMLModelNode:
    """Show a surface in `ras_mm` as the ghost of a patient's segment; there is one ghost in a scene."""
    ghost = ghost_in(scene) or _add(scene)
    ghost.SetAndObservePolyData(polydata_of(surface_ras, normals=True))
    ghost.SetNodeReferenceID(_SEGMENT, segmentation.GetID())
    ghost.SetAttribute(_SEGMENT, segment_id)
    return ghost


def ghost_in(scene: vtkMRMLScene) -> vtkMRMLModelNode | None:
    """Give the ghost of a scene, if there is one."""
    nodes = scene.GetNodesByClass("vtkMRMLModelNode")
    nodes.UnRegister(None)
    found = (nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems()))
    return next((node for node in found if node.GetAttribute(_SEGMENT) is not None), None)


def is_ghosted(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> bool:
    """Say whether a patient's segment is shown as a ghost."""
    scene = segmentation.GetScene()
    ghost = ghost_in(scene) if scene is not None else None
    if ghost is None or not ghost.GetDisplayNode().GetVisibility():
        return False
    return ghost.GetNodeReference(_SEGMENT) is segmentation and ghost.GetAttribute(_SEGMENT) == segment_id


def set_ghost_visible(scene: vtkMRMLScene, visible: bool) -> None:
    """Show or hide the ghost, if there is one."""
    ghost = ghost_in(scene)
    if ghost is not None and bool(ghost.GetDisplayNode().GetVisibility()) != visible:
        ghost.GetDisplayNode().SetVisibility(visible)


def remove_ghost(scene: vtkMRMLScene) -> None:
    """Remove the ghost, if there is one."""
    ghost = ghost_in(scene)
    if ghost is None:
        return
    for node in (ghost.GetDisplayNode(), ghost):
        scene.RemoveNode(node)


def _add(scene):
    ghost = scene.CreateNodeByClass("vtkMRMLModelNode")
    ghost.UnRegister(None)
    ghost.SetName("Original thyroid (outline)")
    ghost.SetHideFromEditors(True)
    ghost.SetSaveWithScene(False)
    ghost.SetSelectable(False)
    scene.AddNode(ghost)
    ghost.CreateDefaultDisplayNodes()
    display = ghost.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetColor(*_COLOUR)
    display.SetOpacity(_OPACITY_3D)
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(_OUTLINE_PIXELS)
    return ghost
