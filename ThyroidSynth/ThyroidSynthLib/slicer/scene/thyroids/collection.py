"""The module's thyroids as a collection: show one or all, remove one and restore it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.slicer.scene.hiding import hide_for_now
from ThyroidSynthLib.slicer.scene.nodes import remove_node
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

from .edits import is_kept, keep
from .placing import position_like
from .present import SEGMENT_ID, is_edited_by_hand, measure_again, note_written, thyroid_segment
from .records import SOURCE_ROLE, ThyroidRecord, moved_by, read_record
from .segmentations import (
    KIND_COLOURS,
    add_generated_thyroid,
    generated_thyroids,
    organ_surfaces,
    put_under,
    show_organs,
)

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode, vtkSegmentation

    from ThyroidSynthLib.geometry.surface import Surface


_COVERING, _REPLACED = "covers the edited thyroid", "was replaced"


def show_only(scene: vtkMRMLScene, shown: vtkMRMLSegmentationNode | None) -> None:
    """Show one of the module's thyroids and hide the others; None hides all."""
    for node in generated_thyroids(scene):
        set_visible(node, node is shown)


def show_all(scene: vtkMRMLScene) -> None:
    """Show all of the module's thyroids."""
    for node in generated_thyroids(scene):
        set_visible(node, True)


def show_uncovered(node: vtkMRMLSegmentationNode) -> None:
    """Show a thyroid that is edited, and hide the other ones of its patient for now, which would cover it."""
    patient = node.GetNodeReference(SOURCE_ROLE)
    for other in generated_thyroids(node.GetScene()):
        if other is not node and other.GetNodeReference(SOURCE_ROLE) is patient:
            hide_for_now(other, _COVERING)
    set_visible(node, True)


def visible_thyroids(scene: vtkMRMLScene) -> list[vtkMRMLSegmentationNode]:
    """Return the module's thyroids that are shown."""
    return [node for node in generated_thyroids(scene) if is_visible(node)]


def is_visible(node: vtkMRMLSegmentationNode) -> bool:
    """Check whether a thyroid is shown."""
    display = node.GetDisplayNode()
    return display is not None and bool(display.GetVisibility()) and bool(display.GetSegmentVisibility(SEGMENT_ID))


def set_visible(node: vtkMRMLSegmentationNode, visible: bool) -> None:
    """Show or hide a thyroid."""
    display = node.GetDisplayNode()
    if display is None or is_visible(node) == visible:
        return
    display.SetVisibility(visible)
    if visible and node.GetSegmentation().GetSegment(SEGMENT_ID) is not None:
        display.SetSegmentVisibility(SEGMENT_ID, True)


@dataclass(frozen=True)
class RemovedThyroid:
    """A thyroid that was removed from the scene, with what is needed to restore it.

    Attributes
    ----------
    record : ThyroidRecord or None
        Its record as it is now, with the placement in the scene.
    surface_ras : Surface
        In `ras_mm`.
    content : vtkSegmentation or None
        Everything that the node held, if it was edited by hand and is restored where it was.
    source, transform : str
        IDs of the segmentation it was made from and of its parent transform; may be empty.
    organs : mapping of str to Surface
        The organs that were drawn around it, in `ras_mm`.
    """

    name: str
    record: ThyroidRecord | None
    surface_ras: Surface
    content: vtkSegmentation | None
    colour: tuple[float, float, float]
    source: str
    transform: str
    visible: bool
    kept: bool = False
    organs: Mapping[str, Surface] = field(default_factory=dict)


def remove_thyroid(node: vtkMRMLSegmentationNode) -> RemovedThyroid:
    """Remove one of the module's thyroids from the scene; one without a surface stays and raises `InputError`."""
    import slicer

    measure_again(node)
    segment_id = thyroid_segment(node)
    in_place = node.GetParentTransformNode() is None or moved_by(node) is not None
    content = slicer.vtkSegmentation() if in_place and is_edited_by_hand(node) else None
    if content is not None:
        content.DeepCopy(node.GetSegmentation())
    removed = RemovedThyroid(
        name=node.GetName(),
        record=read_record(node),
        surface_ras=surface_of_segment(node, segment_id),
        content=content,
        colour=tuple(node.GetSegmentation().GetSegment(segment_id).GetColor()),
        source=node.GetNodeReferenceID(SOURCE_ROLE) or "",
        transform=node.GetTransformNodeID() or "" if moved_by(node) is not None else "",
        visible=is_visible(node),
        kept=is_kept(node),
        organs=organ_surfaces(node),
    )
    remove_node(node)
    return removed


def restore_thyroid(
    scene: vtkMRMLScene, removed: RemovedThyroid, *, ct: vtkMRMLScalarVolumeNode | None = None
) -> vtkMRMLSegmentationNode:
    """Restore a removed thyroid; references to nodes that no longer exist are dropped."""
    node = add_generated_thyroid(scene, removed.name, removed.surface_ras, ct=ct, record=removed.record)
    # The scene makes names unique even among those no longer in use.
    node.SetName(removed.name)
    if removed.kept:
        keep(node, removed.name)
    node.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(*removed.colour)
    if removed.source and scene.GetNodeByID(removed.source) is not None:
        node.SetNodeReferenceID(SOURCE_ROLE, removed.source)
    if removed.transform and scene.GetNodeByID(removed.transform) is not None:
        put_under(node, removed.transform)
    show_organs(node, removed.organs)
    if removed.content is not None and (node.GetTransformNodeID() or "") == removed.transform:
        node.GetSegmentation().DeepCopy(removed.content)
        # Its record holds for this content.
        note_written(node)
    set_visible(node, removed.visible)
    return node


def add_beside(
    node: vtkMRMLSegmentationNode,
    name: str,
    surface_ras: Surface,
    *,
    ct: vtkMRMLScalarVolumeNode | None,
    record: ThyroidRecord,
) -> vtkMRMLSegmentationNode:
    """Add a thyroid in the place of one that is not changed any more, which is hidden for now."""
    scene = node.GetScene()
    new = add_generated_thyroid(scene, name, surface_ras, ct=ct, record=record)
    segment = node.GetSegmentation().GetSegment(SEGMENT_ID)
    # A colour of the user's is used again, those of the kinds are not.
    if segment is not None and not any(np.allclose(segment.GetColor(), each, atol=1e-6) for each in KIND_COLOURS):
        new.GetSegmentation().GetSegment(SEGMENT_ID).SetColor(*segment.GetColor())
    new.GetDisplayNode().SetSliceIntersectionThickness(node.GetDisplayNode().GetSliceIntersectionThickness())
    if (source := node.GetNodeReferenceID(SOURCE_ROLE)) is not None:
        new.SetNodeReferenceID(SOURCE_ROLE, source)
    if moved_by(node) is not None:
        put_under(new, position_like(node, new))
    hide_for_now(node, _REPLACED)
    return new


def surface_in_trachea_frame(node: vtkMRMLSegmentationNode) -> Surface | None:
    """Return a thyroid's surface in `trachea_mm`, also when it was moved; None when it has no record."""
    record = read_record(node)
    if record is None:
        return None
    surface = surface_of_segment(node, thyroid_segment(node))
    return surface.moved(record.placement.to_trachea(surface.vertices))
