"""The edit in memory: which node shows it, and whether it can be continued."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.scene.thyroids.collection import add_beside, show_uncovered
from ThyroidSynthLib.slicer.scene.thyroids.edits import edit_record, is_kept, source_of
from ThyroidSynthLib.slicer.scene.thyroids.placing import placed
from ThyroidSynthLib.slicer.scene.thyroids.present import is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import replace_surface, show_completion

from .wording import patientName

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord

    from .patient_edit import PatientEdit


class CurrentEdit:
    """Holds an edit while its node exists and the patient's thyroid is unchanged.

    Attributes
    ----------
    edit : PatientEdit or None
        None if no edit is in memory; it may be resumed from the record of the edited node.
    """

    def __init__(self) -> None:
        self.edit: PatientEdit | None = None
        self._nodeID = ""

    @property
    def node(self):
        """The node that shows the edit in memory, or None."""
        return slicer.mrmlScene.GetNodeByID(self._nodeID) if self.edit is not None else None

    def set(self, edit: PatientEdit, node) -> None:
        """Hold an edit that a node shows."""
        self.edit, self._nodeID = edit, node.GetID()

    def clear(self) -> None:
        """Hold no edit."""
        self.edit, self._nodeID = None, ""

    def problem(self, parameters: ThyroidSynthParameterNode) -> str:
        """Return why the chosen edit cannot be continued; empty if it can, or if there is none.

        The edit is kept: a change of the patient's thyroid may be undone.
        """
        node, record = parameters.edited, edit_record(parameters.edited)
        if record is None:
            self.clear()
            return ""
        if self._nodeID != node.GetID():
            self.clear()
            self._nodeID = node.GetID()
        source = source_of(node)
        if source is None or source.GetSegmentation().GetSegment(record.source_segment) is None:
            return _("The patient's thyroid was removed. This edit cannot be continued, but it can be kept.")
        if self.edit is not None and not self.edit.gland.is_unchanged(source):
            return _(
                "The patient's thyroid was changed after it was fitted. Undo that change, or fit it again to continue."
            )
        if source is not parameters.segmentation or record.source_segment != parameters.thyroidSegmentID:
            return _("This edit belongs to another thyroid, in '{name}'. Fit the chosen thyroid to edit it.").format(
                name=source.GetName()
            )
        return ""


def draw(edit: PatientEdit, node, thyroid: Thyroid, *, record: ThyroidRecord | None = None) -> None:
    """Show a thyroid of an edit in a node, which the user may have moved by a transform."""
    placement = placed(node, edit.placement)
    replace_surface(node, thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices)), record=record)
    if not node.GetDisplayNode().GetVisibility():
        show_uncovered(node)


def isFinal(node) -> bool:
    """Check whether a thyroid was kept or edited by hand, so that editing continues beside it."""
    return is_kept(node) or is_edited_by_hand(node)


def addBeside(edit: PatientEdit, node, ct):
    """Show the current step of an edit in a new node beside one that was kept or edited by hand."""
    thyroid, placement = edit.currentThyroid(), placed(node, edit.placement)
    surface = thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices))
    name, source = node.GetName(), source_of(node)
    if is_kept(node):
        name = _("{name} (being edited)").format(name=patientName(source))
    new = add_beside(node, name, surface, ct=ct, record=edit.recordOf(thyroid, placement))
    # The scene makes names unique even among those no longer in use.
    if slicer.mrmlScene.GetFirstNodeByName(name) is None:
        new.SetName(name)
    show_completion(new, edit.completed)
    return new
