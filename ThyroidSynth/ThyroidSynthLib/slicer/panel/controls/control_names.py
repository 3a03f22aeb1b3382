"""Names of controls for screen readers."""

from __future__ import annotations

import html
import re

import qt


def nameControls(top) -> None:
    """Name each control below a widget that shows no text of its own, by its label or else its tooltip.

    Qt does so itself only for the widget that a label refers to. The parts of CTK's and MRML's compound widgets, which
    have the keyboard focus, would be read as "spin box" or "combo box".
    """
    labels = {}
    for label in top.findChildren(qt.QLabel):
        if label.buddy() is not None:
            labels[label.buddy().objectName] = _plain(label.text)
    controls = list(top.findChildren(qt.QAbstractButton))
    # The text "…" is no name. That of a line edit or a combo box is its value.
    controls = [button for button in controls if not re.search(r"\w", button.text)]
    for kind in (qt.QComboBox, qt.QAbstractSpinBox, qt.QAbstractSlider, qt.QAbstractItemView):
        controls += top.findChildren(kind)
    for kind in (qt.QLineEdit, qt.QTextEdit, qt.QPlainTextEdit, qt.QProgressBar):
        controls += top.findChildren(kind)
    for control in controls:
        if not control.accessibleName:
            control.accessibleName = _nameOf(control, labels)


def _nameOf(control, labels: dict[str, str]) -> str:
    """Return the label of a control or of the compound widget that it is a part of, else the tooltip of one of them."""
    chain = []
    while control is not None:
        chain.append(control)
        control = control.parentWidget()
    for each in chain:
        if labels.get(each.objectName):
            return labels[each.objectName]
    return next((_firstLine(each.toolTip) for each in chain if each.toolTip), "")


def _firstLine(toolTip: str) -> str:
    # Slicer makes rich text of every tooltip, so that its lines are wrapped.
    return html.unescape(re.sub(r"</?p>", "", toolTip)).strip().partition("\n")[0]


def _plain(text: str) -> str:
    """Return the text of a label without its underlined letter and its colon."""
    return re.sub(r"&(?=\w)", "", text).rstrip(" :")
