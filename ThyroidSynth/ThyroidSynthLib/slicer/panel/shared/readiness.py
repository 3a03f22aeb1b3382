"""Why an action cannot run now: said beside it and in the tooltip of its disabled button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from .session import Session

_TOOL_TIP = "toolTipWhenReady"


def enableOrExplain(button, problem: str) -> None:
    """Enable a button, or disable it and give the reason as its tooltip."""
    ready = button.property(_TOOL_TIP)
    if ready is None:
        ready = button.toolTip
        button.setProperty(_TOOL_TIP, ready)
    button.enabled = not problem
    text = problem or ready
    if button.toolTip != text:
        button.toolTip = text


def patientProblem(session: Session, *, thyroid: bool = False) -> str:
    """Return why thyroids cannot be placed at the patient's trachea; empty if they can.

    With `thyroid` the patient's own thyroid is needed as well.
    """
    parameters = session.parameters
    segmentation = parameters.segmentation
    if segmentation is None:
        return _("There is no patient. Load one in the tab Patient, or choose a segmentation there.")
    content = segmentation.GetSegmentation()

    def isMissing(segmentID: str) -> bool:
        return not segmentID or content.GetSegment(segmentID) is None

    if isMissing(parameters.tracheaSegmentID):
        return _("No trachea is chosen. Choose its segment in the tab Patient.")
    if parameters.thyroidSegmentID == parameters.tracheaSegmentID:
        return sameSegmentText()
    if thyroid and isMissing(parameters.thyroidSegmentID):
        return _("No thyroid is chosen. Choose its segment in the tab Patient.")
    if parameters.ct is not None and parameters.ct is session.misplacedCT:
        return misplacedText(parameters.ct.GetName())
    return ""


def sameSegmentText() -> str:
    """Return that one segment is chosen for both structures."""
    return _("The same segment is chosen as thyroid and as trachea. Choose another one in the tab Patient.")


def misplacedText(ct: str) -> str:
    """Return that the segmentation is not inside a CT with this name."""
    return _(
        "The segmentation is not inside the CT '{ct}', which is of another patient or another part of the body. "
        "Choose its own CT in the tab Patient, or none."
    ).format(ct=ct)
