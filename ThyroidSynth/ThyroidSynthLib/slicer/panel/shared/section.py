"""A section of the panel: its widgets from a .ui file, and how it follows the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription

    from .parameters import ThyroidSynthParameterNode
    from .session import Session


class Section:
    """Base of the sections.

    Parameters
    ----------
    session : Session
        What the sections share.
    folder : Path
        Where the .ui files are.

    Attributes
    ----------
    uiFile : str
        Name of the section's .ui file.
    widget : qMRMLWidget
        Its widgets.
    ui : object
        Its widgets by name.
    """

    uiFile = ""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session = session
        self.widget = slicer.util.loadUI(str(folder / self.uiFile))
        self.widget.setMRMLScene(slicer.mrmlScene)
        for selector in self.widget.findChildren(slicer.qMRMLNodeComboBox):
            # Otherwise a node with a long name makes the panel wider than a small screen.
            selector.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
        for label in self.widget.findChildren(qt.QLabel):
            if label.wordWrap:
                # A ctkCollapsibleButton never gets narrower than its size hint, and that of a long text is wide.
                policy = label.sizePolicy
                policy.setHorizontalPolicy(qt.QSizePolicy.Ignored)
                label.sizePolicy = policy
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.connect()

    @property
    def parameters(self) -> ThyroidSynthParameterNode:
        """The user's choices, see `Session.parameters`."""
        return self.session.parameters

    def connect(self) -> None:
        """Connect the section's own buttons; called once."""

    def refresh(self) -> None:
        """Show the parameters, which were changed or replaced; they are never None here."""

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model; None when there is none."""

    def thyroidsChanged(self) -> None:
        """A thyroid made here was added, replaced, renamed or removed; `parameters` are never None here."""

    def release(self) -> None:
        """Let go of the scene: it is about to close, or the parameters are about to be replaced."""

    def close(self) -> None:
        """Let go of everything: the panel is about to go."""
        self.release()
