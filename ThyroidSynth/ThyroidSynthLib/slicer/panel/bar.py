"""The bar above the tabs: the current thyroid, the status, Undo and Redo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.controls.colour import chooseColour, swatch
from ThyroidSynthLib.slicer.panel.controls.control_names import nameControls
from ThyroidSynthLib.slicer.panel.controls.shortcuts import Shortcut
from ThyroidSynthLib.slicer.panel.controls.status_line import StatusLine
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.scene.thyroids.collection import is_visible, set_visible
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import colour_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Undoable(Protocol):
    """What the bar needs of the section whose thyroid is the current one."""

    @property
    def canUndo(self) -> bool:
        """Whether there is a change to undo."""

    @property
    def canRedo(self) -> bool:
        """Whether there is a change to redo."""

    @property
    def thyroid(self) -> Any:
        """The node of the section's thyroid, or None."""

    def undo(self) -> None:
        """Undo the last change of the thyroid."""

    def redo(self) -> None:
        """Redo the change that was undone last."""


class Bar:
    """The bar, which is never scrolled out of sight.

    Attributes
    ----------
    widget : qMRMLWidget
        The bar.
    status : StatusLine
        Status, progress and Cancel.
    acting : callable
        Returns the section whose thyroid is the current one, or None while there is no scene.
    isBusy : callable
        Returns whether an operation runs, during which nothing can be undone.
    onChosen : callable
        Called with the node that the user chose as the current thyroid, or None for a new one.
    onChanged : callable
        Called after the visibility of the thyroid was changed here.
    """

    def __init__(self, folder: Path) -> None:
        self.acting: Callable[[], Undoable | None] = lambda: None
        self.isBusy: Callable[[], bool] = lambda: False
        self.onChosen: Callable[[Any], None] = lambda node: None
        self.onChanged: Callable[[], None] = lambda: None
        self.widget = slicer.util.loadUI(str(folder / "Bar.ui"))
        self.widget.setMRMLScene(slicer.mrmlScene)
        nameControls(self.widget)
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.ui.currentSelector.addAttribute("vtkMRMLSegmentationNode", ATTRIBUTE)
        # Otherwise a long name would widen the panel.
        self.ui.currentSelector.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
        self.status = StatusLine(self.ui)
        self._colour: tuple[float, ...] | None = None
        self._showing = False
        self.ui.currentSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onChosen)
        self.ui.currentColourButton.connect("clicked(bool)", self._onColour)
        self.ui.currentShownCheckBox.connect("clicked(bool)", self._onShown)
        self.ui.undoButton.connect("clicked(bool)", self._onUndo)
        self.ui.redoButton.connect("clicked(bool)", self._onRedo)
        self._shortcuts = [
            self._shortcut("Ctrl+Z", self.ui.undoButton, self._onUndo),
            self._shortcut("Ctrl+Y", self.ui.redoButton, self._onRedo),
            self._shortcut("Ctrl+Shift+Z", self.ui.redoButton, self._onRedo),
        ]

    def refresh(self) -> None:
        """Show the current thyroid, and whether there is something to undo."""
        section = self.acting()
        node = section.thyroid if section is not None else None
        self._showing = True
        self.ui.currentSelector.setCurrentNode(node)
        self._showing = False
        self.ui.currentColourButton.visible = node is not None
        self.ui.currentShownCheckBox.visible = node is not None
        if node is not None:
            self.ui.currentShownCheckBox.checked = is_visible(node)
            colour = tuple(colour_of(node))
            if colour != self._colour:
                self._colour = colour
                self.ui.currentColourButton.setIcon(swatch(colour))
        self.refreshSteps()

    def refreshSteps(self) -> None:
        """Enable the choice of a thyroid unless an operation runs, and Undo and Redo if the section can do them."""
        section = self.acting()
        self.ui.currentSelector.enabled = section is not None and not self.isBusy()
        busy = _("Another operation is running.") if self.isBusy() else ""
        undo, redo = _("There is nothing to undo."), _("There is nothing to redo.")
        enableOrExplain(self.ui.undoButton, busy or ("" if section is not None and section.canUndo else undo))
        enableOrExplain(self.ui.redoButton, busy or ("" if section is not None and section.canRedo else redo))

    def close(self) -> None:
        """Release the shortcuts."""
        for shortcut in self._shortcuts:
            shortcut.close()

    def _shortcut(self, key: str, button, act: Callable[[], None]) -> Shortcut:
        return Shortcut(
            key,
            self.widget,
            act=act,
            ready=lambda: button.visible and button.enabled,
            begun=lambda: self.ui.undoButton.enabled or self.ui.redoButton.enabled,
        )

    def _onUndo(self, checked: bool = False) -> None:
        section = self.acting()
        if section is not None:
            section.undo()

    def _onRedo(self, checked: bool = False) -> None:
        section = self.acting()
        if section is not None:
            section.redo()

    def _onChosen(self, node) -> None:
        if not self._showing and self.acting() is not None:
            self.onChosen(node)

    def _onColour(self, checked: bool = False) -> None:
        section = self.acting()
        if section is not None:
            chooseColour(section.thyroid, self.widget)

    def _onShown(self, checked: bool) -> None:
        section = self.acting()
        if section is not None and section.thyroid is not None:
            set_visible(section.thyroid, checked)
            self.onChanged()
