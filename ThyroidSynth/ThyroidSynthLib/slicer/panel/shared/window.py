"""A window of its own for what few users need, opened from a tab."""

from __future__ import annotations

import qt


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
        width = content.fontMetrics().averageCharWidth() * 64
        self.dialog.resize(width, content.sizeHint.height() + 12)

    def open(self) -> None:
        """Show the window in front."""
        self.dialog.show()
        self.dialog.activateWindow()
