"""The exact thyroid that a preview replaces, to show it again if the preview is interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.slicer.scene.hiding import show_now
from ThyroidSynthLib.slicer.scene.nodes import remove_node
from ThyroidSynthLib.slicer.scene.thyroids.present import SEGMENT_ID, is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.records import record_as_made
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import replace_surface
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord


@dataclass(frozen=True)
class ExactThyroid:
    """A thyroid before its first preview.

    Attributes
    ----------
    node : vtkMRMLSegmentationNode
        Its node, which shows the preview unless the thyroid was edited by hand.
    record : ThyroidRecord
        With which it was made.
    surface_ras : Surface or None
        None if it was edited by hand, so that its node stays as it is and the preview has another one.
    """

    node: Any
    record: ThyroidRecord
    surface_ras: Surface | None

    @classmethod
    def of(cls, node: Any) -> ExactThyroid | None:
        """Return the thyroid of a node; None if it has no record."""
        record = record_as_made(node)
        if record is None:
            return None
        return cls(node, record, None if is_edited_by_hand(node) else surface_of_segment(node, SEGMENT_ID))

    def show(self, preview: Any) -> bool:
        """Show it instead of a preview, given the node of that; return whether it still exists."""
        if self.surface_ras is None and preview is not None and preview is not self.node:
            remove_node(preview)
        if self.node.GetScene() is None:
            return False
        if self.surface_ras is None:
            show_now(self.node)
        elif not is_edited_by_hand(self.node):
            replace_surface(self.node, self.surface_ras, record=self.record)
        return True
