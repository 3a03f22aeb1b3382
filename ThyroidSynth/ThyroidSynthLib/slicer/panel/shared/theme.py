"""Colours that can be read in Slicer's light and dark theme."""

from __future__ import annotations

import qt

_WARNING_ON_DARK, _WARNING_ON_LIGHT = "#f2b24c", "#8f5200"


def isDark(widget) -> bool:
    """Say whether a widget is drawn light on dark."""
    return widget.palette.color(qt.QPalette.Window).lightness() < 128


def showWarning(label, text: str) -> None:
    """Show a warning in a label of its own, or hide it when there is none."""
    # Its parent tells the theme: a style sheet keeps a label's own palette as it was.
    label.visible = bool(text)
    label.text = text
    style = f"color: {_WARNING_ON_DARK if isDark(label.parentWidget()) else _WARNING_ON_LIGHT};"
    if label.styleSheet != style:
        label.styleSheet = style
