"""A section of the panel: its widgets from a .ui file, and how it follows the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ctk
import qt
import slicer

from ThyroidSynthLib.slicer.panel.controls.control_names import nameControls
from ThyroidSynthLib.slicer.panel.controls.window import SectionWindow

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription

    from .parameters import ThyroidSynthParameterNode
    from .session import Session


class Section:
    """Base class of the sections, each with a .ui file whose widgets are the attributes of `ui`."""

    uiFile = ""
    windowFile = ""
    """Further widgets, in a window of their own (`window`)."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session = session
        self._folder = folder
        self.widget = self._loaded(folder / self.uiFile)
        if self.windowFile:
            # A child of the section's widget, whose controls are therefore connected with the parameters, too.
            self.window = SectionWindow(self.windowTitle(), self._loaded(folder / self.windowFile), self.widget)
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.connect()

    @staticmethod
    def _loaded(path: Path):
        widget = slicer.util.loadUI(str(path))
        widget.setMRMLScene(slicer.mrmlScene)
        for selector in widget.findChildren(slicer.qMRMLNodeComboBox):
            # Otherwise a node with a long name would widen the panel.
            selector.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
        for label in widget.findChildren(qt.QLabel):
            if label.wordWrap:
                # Otherwise the smallest width of a long text would be that of its size hint.
                _setHorizontalPolicy(label, qt.QSizePolicy.Ignored)
        for collapsible in widget.findChildren(ctk.ctkCollapsibleButton):
            # By default it is never narrower than its size hint, which follows what it shows.
            _setHorizontalPolicy(collapsible, qt.QSizePolicy.Preferred)
        nameControls(widget)
        return widget

    def windowTitle(self) -> str:
        """Return the title of the section's window."""
        return ""

    @property
    def parameters(self) -> ThyroidSynthParameterNode:
        """The user's choices, see `Session.parameters`."""
        return self.session.parameters

    def connect(self) -> None:
        """Connect the section's widgets; called once."""

    def refresh(self) -> None:
        """Show the parameters after they were changed or replaced."""

    def describe(self, description: ModelDescription | None) -> None:
        """Adapt to the chosen shape model; None when there is none."""

    def thyroidsChanged(self) -> None:
        """Update after one of the module's thyroids was added, replaced, renamed or removed."""

    def beforeSave(self) -> None:
        """Show in the views what shall be shown in the file of a scene that is about to be saved."""

    def afterSave(self) -> None:
        """Show in the views what was shown before `beforeSave`."""

    def release(self) -> None:
        """Release the scene, which is about to close, and the parameters, which are about to be replaced."""

    def close(self) -> None:
        """Release everything before the panel is deleted."""
        self.release()


def _setHorizontalPolicy(widget, policy: int) -> None:
    whole = widget.sizePolicy
    whole.setHorizontalPolicy(policy)
    widget.sizePolicy = whole
