"""The thyroids made here as a collection: show one or all, take one away and put it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

from .records import ATTRIBUTE, SOURCE_ROLE, read_record
from .segmentations import SEGMENT_ID, add_generated_thyroid, generated_thyroids

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.geometry.surface import Surface


def show_only(scene: vtkMRMLScene, shown: vtkMRMLSegmentationNode | None) -> None:
    """Show one of the thyroids made here and hide the others; None hides all."""
    for node in generated_thyroids(scene):
        _set_visible(node, node is shown)


def show_all(scene: vtkMRMLScene) -> None:
    """Show every thyroid made here."""
    for node in generated_thyroids(scene):
        _set_visible(node, True)


def visible_thyroids(scene: vtkMRMLScene) -> list[vtkMRMLSegmentationNode]:
    """Give the thyroids made here that are shown."""
    return [
        node for node in generated_thyroids(scene) if node.GetDisplayNode() and node.GetDisplayNode().GetVisibility()
    ]


@dataclass(frozen=True)
class RemovedThyroid:
    """A thyroid that was taken out of the scene, with what is needed to put it back.

    Attributes
    ----------
    name : str
        Its node's name.
    about : str
        Its record, as it was kept on the node.
    surface_ras : Surface
        In `ras_mm`, as it lay in the scene.
    colour : tuple of float
        Its segment's colour.
    source, transform : str
        IDs of the segmentation it was made from and of the transform it lay under; may be empty.
    visible : bool
        Whether it was shown.
    """

    name: str
    about: str
    surface_ras: Surface
    colour: tuple[float, float, float]
    source: str
    transform: str
    visible: bool


def remove_thyroid(node: vtkMRMLSegmentationNode) -> RemovedThyroid:
    """Take a thyroid made here out of the scene.

    Raises
    ------
    InputError
        It has no surface: then it is left where it is.
    """
    removed = RemovedThyroid(
        name=node.GetName(),
        about=node.GetAttribute(ATTRIBUTE),
        surface_ras=surface_of_segment(node, SEGMENT_ID),
        colour=tuple(node.GetSegmentation().GetSegment(SEGMENT_ID).GetColor()),
        source=node.GetNodeReferenceID(SOURCE_ROLE) or "",
        transform=node.GetTransformNodeID() or "",
        visible=bool(node.GetDisplayNode() and node.GetDisplayNode().GetVisibility()),
    )
    scene = node.GetScene()
    for each in (node.GetDisplayNode(), node.GetStorageNode(), node):
        if each is not None:
            scene.RemoveNode(each)
    return removed


def put_back(scene: vtkMRMLScene, removed: RemovedThyroid, *, ct=None) -> vtkMRMLSegmentationNode:
    """Bring a removed thyroid back; what it referred to may have gone meanwhile.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode, optional
        The CT it lies over.
    """
    node = add_generated_thyroid(scene, removed.name, removed.surface_ras, ct=ct)
    # Adding it made the name unique even among names that are no longer in use.
    node.SetName(removed.name)
    node.SetAttribute(ATTRIBUTE, removed.about)
    node.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(*removed.colour)
    if removed.source and scene.GetNodeByID(removed.source) is not None:
        node.SetNodeReferenceID(SOURCE_ROLE, removed.source)
    if removed.transform and scene.GetNodeByID(removed.transform) is not None:
        _lay_under(node, removed)
    _set_visible(node, removed.visible)
    return node


def surface_in_trachea_frame(node: vtkMRMLSegmentationNode) -> Surface | None:
    """Give a thyroid's surface in the trachea frame it was made in, wherever it was moved to since.

    None where its record is unknown.

    Raises
    ------
    InputError
        It has no surface.
    """
    record = read_record(node)
    if record is None:
        return None
    surface = surface_of_segment(node, SEGMENT_ID)
    return surface.moved(record.placement.to_trachea(surface.vertices))


def _lay_under(node, removed: RemovedThyroid) -> None:
    """Put a thyroid back under its transform without moving it."""
    from .segmentations import replace_surface

    node.SetAndObserveTransformNodeID(removed.transform)
    replace_surface(node, removed.surface_ras)
    # The record is kept without the transform's motion, and so it was taken.
    node.SetAttribute(ATTRIBUTE, removed.about)


def _set_visible(node, visible: bool) -> None:
    display = node.GetDisplayNode()
    if display is not None and bool(display.GetVisibility()) != visible:
        display.SetVisibility(visible)
