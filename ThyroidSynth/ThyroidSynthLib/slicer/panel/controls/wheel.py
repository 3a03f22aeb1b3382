"""Keep the mouse wheel from changing a control that the user only scrolls over."""

from __future__ import annotations

import qt


class WheelGuard(qt.QObject):
    """Event filter that passes the wheel on to the scroll area unless the control has the keyboard focus.

    Slicer's own style does so only while there is something to scroll.
    """

    def __init__(self, top) -> None:
        qt.QObject.__init__(self, top)
        for kind in (qt.QComboBox, qt.QAbstractSpinBox, qt.QSlider):
            for control in top.findChildren(kind):
                # By default the wheel also moves the focus to a control.
                if control.focusPolicy == qt.Qt.WheelFocus:
                    control.focusPolicy = qt.Qt.StrongFocus
                control.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:
        """Ignore a wheel event over a control without the focus."""
        if event.type() == qt.QEvent.Wheel and not watched.focus:
            event.ignore()
            return True
        return False
