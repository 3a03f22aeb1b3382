"""A window of its own for what few users need, opened from a tab."""

from __future__ import annotations

import qt

_WIDTH_CHARACTERS = 64
_MARGINS = 12


class SectionWindow:
    """A window beside Slicer's main window with the widgets of a section; closing it only hides it.

    Parameters
    ----------
    parent : QWidget
        A widget of the panel, with which the window is deleted and whose parameters its widgets share.

    Attributes
    ----------
    content : QWidget
        The widgets, which are scrolled.
    dialog : QDialog
        The window.
    """

    def __init__(self, title: str, content, parent) -> None:
        self.content = content
        self.dialog = qt.QDialog(parent)
        self.dialog.objectName = f"{content.objectName}Dialog"
        self.dialog.windowTitle = title
        self.dialog.modal = False
        scroll = qt.QScrollArea()
        scroll.setFrameShape(qt.QFrame.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        layout = qt.QVBoxLayout(self.dialog)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self._placed = False

    def open(self) -> None:
        """Show the window in front: at first over the panel, so that the views stay in sight, then where it was."""
        self.dialog.show()
        if not self._placed:
            self._placed = True
            # Only now is it known which of its pages are shown.
            width = self.content.fontMetrics().averageCharWidth() * _WIDTH_CHARACTERS
            self.dialog.resize(width, self.content.sizeHint.height() + _MARGINS)
            self.dialog.move(self.dialog.parentWidget().mapToGlobal(qt.QPoint(0, 0)))
        self.dialog.activateWindow()
