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
    name : str
        Name of its node.
    record : str
        The node's record as JSON.
    surface_ras : Surface
        In `ras_mm`.
    colour : tuple of float
        Colour of its segment.
    source, transform : str
        IDs of the segmentation it was made from and of its parent transform; may be empty.
    visible : bool
        Whether it was shown.
    """

    name: str
    record: str
    surface_ras: Surface
    colour: tuple[float, float, float]
    source: str
    transform: str
    visible: bool


def remove_thyroid(node: vtkMRMLSegmentationNode) -> RemovedThyroid:
    """Remove one of the module's thyroids from the scene.

    Raises
    ------
    InputError
        It has no surface; it stays in the scene.
    """
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
    """Restore a removed thyroid; references to nodes that no longer exist are dropped.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode, optional
        The CT it lies over.
    """
    node = add_generated_thyroid(scene, removed.name, removed.surface_ras, ct=ct)
    # The scene makes names unique even among those no longer in use.
    node.SetName(removed.name)
    node.SetAttribute(ATTRIBUTE, removed.record)
    node.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(*removed.colour)
    if removed.source and scene.GetNodeByID(removed.source) is not None:
        node.SetNodeReferenceID(SOURCE_ROLE, removed.source)
    if removed.transform and scene.GetNodeByID(removed.transform) is not None:
        _lay_under(node, removed)
    _set_visible(node, removed.visible)
    return node


def surface_in_trachea_frame(node: vtkMRMLSegmentationNode) -> Surface | None:
    """Return a thyroid's surface in `trachea_mm`, also when it was moved; None when it has no record.

    Raises
    ------
    InputError
        The thyroid has no surface.
    """
    record = read_record(node)
    if record is None:
        return None
    surface = surface_of_segment(node, SEGMENT_ID)
    return surface.moved(record.placement.to_trachea(surface.vertices))


def _lay_under(node, removed: RemovedThyroid) -> None:
    """Put a thyroid under its former transform without moving it."""
    node.SetAndObserveTransformNodeID(removed.transform)
    replace_surface(node, removed.surface_ras)
    # The stored record never includes the parent transform.
    node.SetAttribute(ATTRIBUTE, removed.record)


def _set_visible(node, visible: bool) -> None:
    display = node.GetDisplayNode()
    if display is not None and bool(display.GetVisibility()) != visible:
        display.SetVisibility(visible)
