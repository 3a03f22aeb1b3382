"""The status message with progress bar and Cancel button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _


class StatusSection:
    """Status message, progress bar and Cancel button (`onCancel`), which stay enabled while an operation runs."""

    def __init__(self, folder: Path) -> None:
        self.onCancel: Callable[[], None] = lambda: None
        self.widget = slicer.util.loadUI(str(folder / "Status.ui"))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.ui.cancelButton.connect("clicked(bool)", self._onCancelClicked)

    @property
    def message(self) -> str:
        """The message shown."""
        return self.ui.statusLabel.text

    def start(self, title: str) -> None:
        """Show that an operation starts."""
        self.ui.cancelButton.enabled = True
        self.ui.progressBar.enabled = True
        self.show(0.0, title)
        slicer.app.processEvents()

    def finish(self) -> None:
        """Show that the operation has ended; its last message stays."""
        self.ui.cancelButton.enabled = False
        self.ui.progressBar.enabled = False
        self.ui.progressBar.value = 0

    def show(self, fraction: float | None, message: str) -> None:
        """Show a message and the progress of an operation, from 0 to 1; None leaves the progress bar."""
        self.ui.statusLabel.text = message
        if fraction is not None:
            self.ui.progressBar.value = round(1000 * min(max(fraction, 0.0), 1.0))

    def _onCancelClicked(self, checked: bool = False) -> None:
        self.ui.cancelButton.enabled = False
        self.ui.statusLabel.text = _("Stopping…")
        self.onCancel()
