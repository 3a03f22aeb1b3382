"""The status message, and progress and Cancel while an operation runs."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

# A message belongs to the last action and is read in this time; what stays true is said beside the controls.
_SHOWN_MS = 10_000


class StatusLine:
    """Status message of the bar; progress bar and Cancel button (`onCancel`) are visible while an operation runs."""

    def __init__(self, ui) -> None:
        self.onCancel: Callable[[], None] = lambda: None
        self.ui = ui
        self._running = False
        # A child of the label, which it does not survive.
        self._fading = qt.QTimer(ui.statusLabel)
        self._fading.setSingleShot(True)
        self._fading.setInterval(_SHOWN_MS)
        self._fading.connect("timeout()", self._clear)
        # Otherwise the tabs below would move whenever an operation starts and ends.
        ui.progressRow.minimumHeight = ui.progressBar.maximumHeight
        twoLines = 2 * ui.statusLabel.fontMetrics().lineSpacing()
        ui.statusLabel.minimumHeight = max(ui.cancelButton.sizeHint.height(), twoLines)
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
        """Show that the operation has ended; its last message stays for a while."""
        self._setRunning(False)
        self._fading.start()
        self.ui.progressBar.value = 0

    def show(self, fraction: float | None, message: str) -> None:
        """Show a message and the progress of an operation, from 0 to 1; None leaves the progress bar."""
        self.ui.statusLabel.text = message
        self._fading.start()
        if fraction is not None:
            self.ui.progressBar.value = round(1000 * min(max(fraction, 0.0), 1.0))

    def _clear(self) -> None:
        if not self._running:
            self.ui.statusLabel.text = ""

    def _setRunning(self, running: bool) -> None:
        self._running = running
        self.ui.progressBar.visible = running
        self.ui.cancelButton.visible = self.ui.cancelButton.enabled = running

    def _onCancelClicked(self, checked: bool = False) -> None:
        self.ui.cancelButton.enabled = False
        self.ui.statusLabel.text = _("Stopping…")
        self.onCancel()
