"""Moving a thyroid by hand: a transform of its own above it, with Slicer's interaction handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE

from .records import moved_by

if TYPE_CHECKING:
    from slicer import vtkMRMLLinearTransformNode, vtkMRMLScene, vtkMRMLSegmentationNode

_ATTRIBUTE = "ThyroidSynth.Position"
# What counts as not moved: less than a hand can do, more than rounding.
_STILL_MM = 1e-3


def start_moving(segmentation: vtkMRMLSegmentationNode) -> vtkMRMLLinearTransformNode:
    """Give a thyroid a transform of its own, unless it has one, and show handles at its centre to move it."""
    transform = _own_transform(segmentation)
    if transform is None:
        transform = _add_transform(segmentation)
    bounds = np.zeros(6)
    _content(segmentation).GetBounds(bounds)
    transform.SetCenterOfTransformation(*((bounds[::2] + bounds[1::2]) / 2).tolist())
    transform.CreateDefaultDisplayNodes()
    transform.GetDisplayNode().SetEditorVisibility(True)
    return transform


def stop_moving(segmentation: vtkMRMLSegmentationNode) -> None:
    """Hide the handles; the thyroid stays where it was moved to."""
    if is_moving(segmentation):
        _own_transform(segmentation).GetDisplayNode().SetEditorVisibility(False)


def is_moving(segmentation: vtkMRMLSegmentationNode) -> bool:
    """Say whether a thyroid's handles are shown."""
    transform = _own_transform(segmentation)
    display = transform.GetDisplayNode() if transform is not None else None
    return display is not None and bool(display.GetEditorVisibility())


def back_to_trachea(segmentation: vtkMRMLSegmentationNode) -> None:
    """Undo what was moved by hand; a transform that is not ours stays."""
    transform = _own_transform(segmentation)
    if transform is None:
        return
    segmentation.SetAndObserveTransformNodeID(transform.GetTransformNodeID())
    _remove(transform)


def placed(segmentation: vtkMRMLSegmentationNode, at_trachea: Placement) -> Placement:
    """Give a placement at the patient's trachea as it is for a thyroid that was moved."""
    moved = moved_by(segmentation)
    return at_trachea if moved is None else Placement(moved @ at_trachea.trachea_to_ras)


def motion_of(segmentation: vtkMRMLSegmentationNode) -> tuple[float, float]:
    """Give how far a thyroid was moved by hand, in mm at its centre, and turned, in degrees."""
    transform = _own_transform(segmentation)
    if transform is None:
        return 0.0, 0.0
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    transform.GetMatrixTransformToParent(matrix)
    motion = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    centre = np.array([*transform.GetCenterOfTransformation(), 1.0])
    distance = float(np.linalg.norm((motion @ centre - centre)[:3]))
    turned = float(np.degrees(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1))))
    return (distance, turned) if distance > _STILL_MM or turned > _STILL_MM else (0.0, 0.0)


def remove_unused_positions(scene: vtkMRMLScene) -> None:
    """Remove the transforms of thyroids that are gone."""
    nodes = scene.GetNodesByClass("vtkMRMLLinearTransformNode")
    nodes.UnRegister(None)
    transforms = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
    nodes = scene.GetNodesByClass("vtkMRMLTransformableNode")
    nodes.UnRegister(None)
    used = {nodes.GetItemAsObject(index).GetTransformNodeID() for index in range(nodes.GetNumberOfItems())}
    for transform in transforms:
        if transform.GetAttribute(_ATTRIBUTE) and transform.GetID() not in used:
            _remove(transform)


def _own_transform(segmentation):
    parent = segmentation.GetParentTransformNode()
    return parent if parent is not None and parent.GetAttribute(_ATTRIBUTE) else None


def _content(segmentation):
    content = segmentation.GetSegmentation()
    return content.GetSegment(content.GetNthSegmentID(0)).GetRepresentation(CLOSED_SURFACE)


def _add_transform(segmentation):
    scene = segmentation.GetScene()
    transform = scene.CreateNodeByClass("vtkMRMLLinearTransformNode")
    transform.UnRegister(None)
    transform.SetName(scene.GenerateUniqueName(f"{segmentation.GetName()} position"))
    transform.SetAttribute(_ATTRIBUTE, "1")
    scene.AddNode(transform)
    # A transform the user has put it under goes on to count.
    transform.SetAndObserveTransformNodeID(segmentation.GetTransformNodeID())
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def _remove(transform) -> None:
    scene = transform.GetScene()
    for owned in (transform.GetDisplayNode(), transform.GetStorageNode()):
        if owned is not None:
            scene.RemoveNode(owned)
    scene.RemoveNode(transform)
