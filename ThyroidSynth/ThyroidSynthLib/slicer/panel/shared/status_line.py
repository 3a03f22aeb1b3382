"""The status message, and progress and Cancel while an operation runs."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _


class StatusLine:
    """Status message of the bar; progress bar and Cancel button (`onCancel`) are visible while an operation runs."""

    def __init__(self, ui) -> None:
        self.onCancel: Callable[[], None] = lambda: None
        self.ui = ui
        # Otherwise the tabs below would move whenever an operation starts and ends.
        ui.progressRow.minimumHeight = ui.cancelButton.sizeHint.height()
        ui.cancelButton.connect("clicked(bool)", self._onCancelClicked)
        self.finish()

    @property
    def message(self) -> str:
        """The message shown."""
        return self.ui.statusLabel.text

    def start(self, title: str) -> None:
        """Show that an operation starts."""
        self._setRunning(True)
        self.show(0.0, title)
        slicer.app.processEvents()

    def finish(self) -> None:
        """Show that the operation has ended; its last message stays."""
        self._setRunning(False)
        self.ui.progressBar.value = 0

    def show(self, fraction: float | None, message: str) -> None:
        """Show a message and the progress of an operation, from 0 to 1; None leaves the progress bar."""
        self.ui.statusLabel.text = message
        if fraction is not None:
            self.ui.progressBar.value = round(1000 * min(max(fraction, 0.0), 1.0))

    def _setRunning(self, running: bool) -> None:
        self.ui.progressBar.visible = running
        self.ui.cancelButton.visible = self.ui.cancelButton.enabled = running

    def _onCancelClicked(self, checked: bool = False) -> None:
        self.ui.cancelButton.enabled = False
        self.ui.statusLabel.text = _("Stopping…")
        self.onCancel()
