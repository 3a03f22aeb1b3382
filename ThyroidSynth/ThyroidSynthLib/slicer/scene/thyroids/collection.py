"""The module's thyroids as a collection: show one or all, remove one and restore it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ThyroidSynthLib.slicer.scene.nodes import remove_node
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

from .records import ATTRIBUTE, SOURCE_ROLE, read_record
from .segmentations import SEGMENT_ID, add_generated_thyroid, generated_thyroids, replace_surface

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.geometry.surface import Surface


def show_only(scene: vtkMRMLScene, shown: vtkMRMLSegmentationNode | None) -> None:
    """Show one of the module's thyroids and hide the others; None hides all."""
    for node in generated_thyroids(scene):
        _set_visible(node, node is shown)


def show_all(scene: vtkMRMLScene) -> None:
    """Show all of the module's thyroids."""
    for node in generated_thyroids(scene):
        _set_visible(node, True)


def visible_thyroids(scene: vtkMRMLScene) -> list[vtkMRMLSegmentationNode]:
    """Return the module's thyroids that are shown."""
    return [
        node for node in generated_thyroids(scene) if node.GetDisplayNode() and node.GetDisplayNode().GetVisibility()
    ]


@dataclass(frozen=True)
class RemovedThyroid:
    """A thyroid that was removed from the scene, with what is needed to restore it.

    Attributes
    ----------
    record : str
        The node's record as JSON.
    surface_ras : Surface
        In `ras_mm`.
    source, transform : str
        IDs of the segmentation it was made from and of its parent transform; may be empty.
    """

    name: str
    record: str
    surface_ras: Surface
    colour: tuple[float, float, float]
    source: str
    transform: str
    visible: bool


def remove_thyroid(node: vtkMRMLSegmentationNode) -> RemovedThyroid:
    """Remove one of the module's thyroids from the scene; one without a surface stays and raises `InputError`."""
    removed = RemovedThyroid(
        name=node.GetName(),
        record=node.GetAttribute(ATTRIBUTE),
        surface_ras=surface_of_segment(node, SEGMENT_ID),
        colour=tuple(node.GetSegmentation().GetSegment(SEGMENT_ID).GetColor()),
        source=node.GetNodeReferenceID(SOURCE_ROLE) or "",
        transform=node.GetTransformNodeID() or "",
        visible=bool(node.GetDisplayNode() and node.GetDisplayNode().GetVisibility()),
    )
    remove_node(node)
    return removed


def restore_thyroid(
    scene: vtkMRMLScene, removed: RemovedThyroid, *, ct: vtkMRMLScalarVolumeNode | None = None
) -> vtkMRMLSegmentationNode:
    """Restore a removed thyroid; references to nodes that no longer exist are dropped."""
    node = add_generated_thyroid(scene, removed.name, removed.surface_ras, ct=ct)
    # The scene makes names unique even among those no longer in use.
    node.SetName(removed.name)
    node.SetAttribute(ATTRIBUTE, removed.record)
    node.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(*removed.colour)
    if removed.source and scene.GetNodeByID(removed.source) is not None:
        node.SetNodeReferenceID(SOURCE_ROLE, removed.source)
    if removed.transform and scene.GetNodeByID(removed.transform) is not None:
        # Put under its former transform without being moved; the stored record never includes that transform.
        node.SetAndObserveTransformNodeID(removed.transform)
        replace_surface(node, removed.surface_ras)
        node.SetAttribute(ATTRIBUTE, removed.record)
    _set_visible(node, removed.visible)
    return node


def surface_in_trachea_frame(node: vtkMRMLSegmentationNode) -> Surface | None:
    """Return a thyroid's surface in `trachea_mm`, also when it was moved; None when it has no record."""
    record = read_record(node)
    if record is None:
        return None
    surface = surface_of_segment(node, SEGMENT_ID)
    return surface.moved(record.placement.to_trachea(surface.vertices))


def _set_visible(node, visible: bool) -> None:
    display = node.GetDisplayNode()
    if display is not None and bool(display.GetVisibility()) != visible:
        display.SetVisibility(visible)
