"""Which edit is in memory, which node it belongs to, and whether it can be gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.scene.thyroids.edits import edit_record, source_of

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode

    from .patient_edit import PatientEdit


class EditKeeper:
    """Keeps an edit as long as its node and the patient's thyroid are what they were.

    Attributes
    ----------
    edit : PatientEdit or None
        None while none is in memory; the record of the node may be enough to take it up again.
    """

    def __init__(self) -> None:
        self.edit: PatientEdit | None = None
        self._nodeID = ""
        self._ended = False

    @property
    def node(self):
        """The node of the edit in memory, or None."""
        return slicer.mrmlScene.GetNodeByID(self._nodeID) if self.edit is not None else None

    def keep(self, edit: PatientEdit, node) -> None:
        """Keep an edit, which a node shows."""
        self.edit, self._nodeID, self._ended = edit, node.GetID(), False

    def forget(self) -> None:
        """Keep none."""
        self.edit, self._nodeID, self._ended = None, "", False

    def problem(self, parameters: ThyroidSynthParameterNode) -> str:
        """Say why the chosen edit cannot be gone on with; empty when it can, or when there is none.

        An edit whose thyroid is no longer what was fitted is not kept any longer.
        """
        node, record = parameters.edited, edit_record(parameters.edited)
        if record is None:
            self.forget()
            return ""
        if self._nodeID != node.GetID():
            self.forget()
            self._nodeID = node.GetID()
        source = source_of(node)
        if source is None or source.GetSegmentation().GetSegment(record.source_segment) is None:
            self.edit = None
            return _("The patient's thyroid was removed. This edit stays as it is, and can be kept.")
        if self.edit is not None and not self.edit.gland.is_unchanged(source):
            self.edit, self._ended = None, True
        if self._ended:
            return _(
                "The patient's thyroid was changed after it was fitted. This edit stays as it is; fit the thyroid "
                "anew to go on from how it is now."
            )
        if source is not parameters.segmentation or record.source_segment != parameters.thyroidSegmentID:
            return _("This edit is of another thyroid, in '{name}'. Fit the chosen one to edit it.").format(
                name=source.GetName()
            )
        return ""
