"""A user at the table of thyroids: clicks, sorts and reads."""

from __future__ import annotations

from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, add_generated_thyroid, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment


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


_MADE: dict[tuple, tuple] = {}


def make(hands, *seeds: int) -> list:
    """Make thyroids by the Generate section; one that was made before is put into the scene as it was."""
    for seed in seeds:
        key = (hands.parameters.model, seed, hands.exactCheckBox.checked)
        hands.parameters.result = None
        if key in _MADE:
            surface, record = _MADE[key]
            name, ct = "Generated thyroid", hands.parameters.ct
            hands.parameters.result = add_generated_thyroid(hands.app.scene, name, surface, ct=ct, record=record)
            hands.module.widget.panel.session.announceThyroids()
            continue
        hands.seedSpinBox.setValue(seed)
        hands.click("generateButton")
        node = hands.parameters.result
        _MADE[key] = surface_of_segment(node, SEGMENT_ID), read_record(node)
    hands.app.process_events()
    return generated_thyroids(hands.app.scene)
