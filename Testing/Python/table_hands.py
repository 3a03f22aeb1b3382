"""A user at the table of thyroids: clicks, sorts and reads."""

from __future__ import annotations

from ThyroidSynthLib.scene.segmentations import generated_thyroids


class Table:
    """A user at the table."""

    def __init__(self, hands) -> None:
        self.hands = hands
        self.view = hands.thyroidTable
        self.model = self.view.model()

    def texts(self, column: int = 0) -> list[str]:
        return [self.model.index(row, column).data() for row in range(self.model.rowCount())]

    def click(self, name: str, *, add: bool = False) -> None:
        """Click on a row with the mouse, with Ctrl held to add it to the selection."""
        from PySide6 import QtCore, QtTest

        index = self.model.index(self.texts().index(name), 0)
        self.view.scrollTo(index)
        key = QtCore.Qt.ControlModifier if add else QtCore.Qt.NoModifier
        QtTest.QTest.mouseClick(self.view.viewport(), QtCore.Qt.LeftButton, key, self.view.visualRect(index).center())
        self.hands.app.process_events()

    def sort(self, column: int) -> None:
        from PySide6 import QtCore, QtTest

        header = self.view.horizontalHeader()
        at = QtCore.QPoint(header.sectionViewportPosition(column) + 10, 10)
        QtTest.QTest.mouseClick(header.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, at)
        self.hands.app.process_events()


def make(hands, *seeds: int) -> list:
    for seed in seeds:
        hands.parameters.result = None
        hands.seedSpinBox.setValue(seed)
        hands.click("generateButton")
    hands.app.process_events()
    return generated_thyroids(hands.app.scene)
