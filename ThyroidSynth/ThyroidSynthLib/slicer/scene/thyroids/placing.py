"""Move a thyroid by hand with Slicer's interaction handles on a transform of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.slicer.scene.nodes import add_node, nodes_of, remove_node

from .records import moved_by

if TYPE_CHECKING:
    from slicer import vtkMRMLLinearTransformNode, vtkMRMLScene, vtkMRMLSegmentationNode

_ATTRIBUTE = "ThyroidSynth.Position"
# Smaller motions, in mm or degrees, are rounding errors.
_SMALLEST_MOTION = 1e-3


def start_moving(segmentation: vtkMRMLSegmentationNode) -> vtkMRMLLinearTransformNode:
    """Show handles at the centre of a thyroid; they move the transform of its own, created when needed."""
    transform = _own_transform(segmentation) or _add_transform(segmentation)
    bounds = np.zeros(6)
    # In the coordinates below the transform, of surfaces as of voxels of the Segment Editor.
    segmentation.GetSegmentation().GetBounds(bounds)
    transform.SetCenterOfTransformation(*((bounds[::2] + bounds[1::2]) / 2).tolist())
    transform.CreateDefaultDisplayNodes()
    transform.GetDisplayNode().SetEditorVisibility(True)
    return transform


def stop_moving(segmentation: vtkMRMLSegmentationNode) -> None:
    """Hide the handles; the thyroid stays where it is."""
    if is_moving(segmentation):
        _own_transform(segmentation).GetDisplayNode().SetEditorVisibility(False)


def is_moving(segmentation: vtkMRMLSegmentationNode) -> bool:
    """Check whether a thyroid's handles are shown."""
    transform = _own_transform(segmentation)
    display = transform.GetDisplayNode() if transform is not None else None
    return display is not None and bool(display.GetEditorVisibility())


def back_to_trachea(segmentation: vtkMRMLSegmentationNode) -> None:
    """Move a thyroid back; a transform of the user's above it stays."""
    transform = _own_transform(segmentation)
    if transform is None:
        return
    segmentation.SetAndObserveTransformNodeID(transform.GetTransformNodeID())
    remove_node(transform)


def placed(segmentation: vtkMRMLSegmentationNode, at_trachea: Placement) -> Placement:
    """Return a placement at the patient's trachea moved in the way a thyroid was moved."""
    moved = moved_by(segmentation)
    return at_trachea if moved is None else Placement(moved @ at_trachea.trachea_to_ras)


def position_like(segmentation: vtkMRMLSegmentationNode, other: vtkMRMLSegmentationNode) -> str:
    """Return the ID of a transform with which another thyroid is moved in the way a thyroid was moved.

    It is a copy of the transform of its own, so that both can be moved by themselves, else the user's transform.
    """
    transform = _own_transform(segmentation)
    if transform is None:
        return segmentation.GetTransformNodeID()
    copy = _new_position(other)
    copy.CopyContent(transform)
    copy.SetAndObserveTransformNodeID(transform.GetTransformNodeID())
    return copy.GetID()


def motion_of(segmentation: vtkMRMLSegmentationNode) -> tuple[float, float]:
    """Return how far a thyroid was moved by hand, in mm at its centre, and rotated, in degrees."""
    transform = _own_transform(segmentation)
    if transform is None:
        return 0.0, 0.0
    import slicer

    motion = slicer.util.arrayFromTransformMatrix(transform)
    centre = np.array([*transform.GetCenterOfTransformation(), 1.0])
    distance = float(np.linalg.norm((motion @ centre - centre)[:3]))
    angle = float(np.degrees(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1))))
    return (distance, angle) if distance > _SMALLEST_MOTION or angle > _SMALLEST_MOTION else (0.0, 0.0)


def remove_unused_positions(scene: vtkMRMLScene) -> None:
    """Remove the transforms of thyroids that were removed."""
    used = {node.GetTransformNodeID() for node in nodes_of(scene, "vtkMRMLTransformableNode")}
    for transform in nodes_of(scene, "vtkMRMLLinearTransformNode"):
        if transform.GetAttribute(_ATTRIBUTE) and transform.GetID() not in used:
            remove_node(transform)


def _own_transform(segmentation):
    parent = segmentation.GetParentTransformNode()
    return parent if parent is not None and parent.GetAttribute(_ATTRIBUTE) else None


def _add_transform(segmentation):
    transform = _new_position(segmentation)
    # A transform of the user's stays above.
    transform.SetAndObserveTransformNodeID(segmentation.GetTransformNodeID())
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def _new_position(segmentation):
    scene = segmentation.GetScene()
    name = scene.GenerateUniqueName(f"{segmentation.GetName()} position")
    return add_node(scene, "vtkMRMLLinearTransformNode", name, _ATTRIBUTE, "1")
