"""The line that says what is going on, with progress and Cancel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _


class StatusSection:
    """Status, progress bar and Cancel button; usable while the sections wait.

    Attributes
    ----------
    onCancel : callable
        Called when the user clicks Cancel.
    """

    def __init__(self, folder: Path) -> None:
        self.onCancel: Callable[[], None] = lambda: None
        self.widget = slicer.util.loadUI(str(folder / "Status.ui"))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.ui.cancelButton.connect("clicked(bool)", self._onCancelClicked)

    @property
    def message(self) -> str:
        """The message that is shown."""
        return self.ui.statusLabel.text

    def start(self, title: str) -> None:
        """An operation begins."""
        self.ui.cancelButton.enabled = True
        self.ui.progressBar.enabled = True
        self.show(0.0, title)
        slicer.app.processEvents()

    def finish(self) -> None:
        """The operation has ended; what it said last stays."""
        self.ui.cancelButton.enabled = False
        self.ui.progressBar.enabled = False
        self.ui.progressBar.value = 0

    def show(self, fraction: float | None, message: str) -> None:
        """Show a message, and how far an operation is."""
        self.ui.statusLabel.text = message
        if fraction is not None:
            self.ui.progressBar.value = round(1000 * min(max(fraction, 0.0), 1.0))

    def _onCancelClicked(self, checked: bool = False) -> None:
        self.ui.cancelButton.enabled = False
        self.ui.statusLabel.text = _("Stopping…")
        self.onCancel()
