"""Looks at a whole panel as a person does: what is in sight, in which order, how bright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6 import QtCore, QtGui, QtWidgets

from .widgets_ctk import ctkCollapsibleButton

TOUCHED = (
    QtWidgets.QAbstractButton,
    QtWidgets.QComboBox,
    QtWidgets.QAbstractSpinBox,
    QtWidgets.QAbstractSlider,
    QtWidgets.QLineEdit,
    QtWidgets.QTextEdit,
    QtWidgets.QPlainTextEdit,
    QtWidgets.QAbstractItemView,
    QtWidgets.QProgressBar,
)


def widgets_in(top) -> list:
    """All widgets below one, in no order."""
    return list(QtWidgets.QWidget.findChildren(top, QtWidgets.QWidget))


def in_sight(widget, top) -> bool:
    """Whether a widget would be seen if its window were shown."""
    return QtWidgets.QWidget.isVisibleTo(widget, top)


def name_of(widget) -> str:
    """Name of a widget, or of the named widget that it is a part of."""
    while widget is not None and (not widget.objectName or widget.objectName.startswith("qt_")):
        widget = QtWidgets.QWidget.parentWidget(widget)
    return widget.objectName if widget is not None else ""


def tooltip_of(widget, top) -> str:
    """Tooltip that the mouse meets over a widget: its own, or that of a compound widget that it is a part of."""
    while widget is not None and widget is not top:
        if widget.toolTip:
            return widget.toolTip
        widget = QtWidgets.QWidget.parentWidget(widget)
        if isinstance(widget, (ctkCollapsibleButton, QtWidgets.QGroupBox)):
            return ""
    return ""


def is_inside(widget, kind: type) -> bool:
    """Whether a widget lies in one of a kind."""
    parent = QtWidgets.QWidget.parentWidget(widget)
    return parent is not None and (isinstance(parent, kind) or is_inside(parent, kind))


def cut_texts(top) -> list[str]:
    """Buttons whose text does not fit into them, and labels that are cut off on the right."""
    found = []
    for each in widgets_in(top):
        if not in_sight(each, top):
            continue
        needed = each.minimumSizeHint.width() if isinstance(each, QtWidgets.QAbstractButton) else 0
        if isinstance(each, QtWidgets.QLabel) and each.text and not each.wordWrap:
            needed = each.minimumSizeHint.width()
        missing = max(needed - each.width, place_of(each, top).right() - top.width)
        if missing > 0:
            found.append(f"{name_of(each)} lacks {missing} pixels")
    return found


def open_all(top) -> None:
    """Open every collapsed part, so that all widgets are in sight."""
    for widget in widgets_in(top):
        if widget.metaObject().indexOfProperty("collapsed") >= 0:
            widget.collapsed = False
    QtWidgets.QApplication.processEvents()


def focus_chain(top) -> list:
    """Widgets that the Tab key reaches, in its order, each compound widget once."""
    chain, widget = [], QtWidgets.QWidget.nextInFocusChain(top)
    while widget is not top:
        by_tab = int(widget.focusPolicy) & int(QtCore.Qt.FocusPolicy.TabFocus)
        if by_tab and QtWidgets.QWidget.isAncestorOf(top, widget) and in_sight(widget, top):
            chain.append(widget)
        widget = QtWidgets.QWidget.nextInFocusChain(widget)
    return chain


def place_of(widget, top) -> QtCore.QRect:
    """Where a widget lies in the panel."""
    corner = QtWidgets.QWidget.mapTo(widget, top, QtCore.QPoint(0, 0))
    return QtCore.QRect(corner, widget.size)


@contextmanager
def dark_theme() -> Iterator[None]:
    """Slicer's dark style: a dark palette for the whole application."""
    before = QtGui.QPalette(QtWidgets.QApplication.palette())
    dark, light, role = QtGui.QColor(53, 53, 53), QtGui.QColor(240, 240, 240), QtGui.QPalette.ColorRole
    palette = QtGui.QPalette(dark)
    for each in (role.WindowText, role.Text, role.ButtonText, role.ToolTipText, role.BrightText):
        palette.setColor(each, light)
    palette.setColor(role.Base, QtGui.QColor(35, 35, 35))
    palette.setColor(role.AlternateBase, dark)
    palette.setColor(role.Highlight, QtGui.QColor(42, 130, 218))
    palette.setColor(role.HighlightedText, light)
    palette.setColor(role.Link, QtGui.QColor(90, 170, 240))
    palette.setColor(role.PlaceholderText, QtGui.QColor(150, 150, 150))
    for each in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, each, QtGui.QColor(127, 127, 127))
    QtWidgets.QApplication.setPalette(palette)
    QtWidgets.QApplication.processEvents()
    try:
        yield
    finally:
        QtWidgets.QApplication.setPalette(before)
        QtWidgets.QApplication.processEvents()
