"""Buttons beside a thyroid: edit it in the Segment Editor, and show it in 3D views."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.scene.thyroids.hand_editing import choose_in_segment_editor, is_shown_in_3d, show_in_3d

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.session import Session


class NodeButtons:
    """The two buttons; `nodeOf` returns the thyroid that they are for, or None."""

    def __init__(self, session: Session, segmentEditorButton, show3DButton, nodeOf: Callable[[], Any]) -> None:
        self._session, self._nodeOf = session, nodeOf
        self._segmentEditor, self._show3D = segmentEditorButton, show3DButton
        segmentEditorButton.connect("clicked(bool)", self._onSegmentEditor)
        show3DButton.connect("clicked(bool)", self._onShow3D)

    def refresh(self) -> None:
        """Follow the thyroid."""
        node = self._nodeOf()
        displayed = node is not None and node.GetDisplayNode() is not None
        for button in (self._segmentEditor, self._show3D):
            enableOrExplain(button, "" if displayed else _("There is no thyroid yet."))
        self._show3D.checked = displayed and is_shown_in_3d(node)

    def _onSegmentEditor(self, checked: bool = False) -> None:
        with self._session.errorsShown(_("Opening the Segment Editor")):
            choose_in_segment_editor(self._nodeOf(), self._session.parameters.ct)
            slicer.util.selectModule("SegmentEditor")

    def _onShow3D(self, checked: bool = False) -> None:
        show_in_3d(self._nodeOf(), checked)
