"""A reader at the window of the reader study, for tests: sets it up, presses keys and looks at what is shown."""

from __future__ import annotations

from pathlib import Path

from ThyroidSynthLib.evaluation.reader_study import StudyPlan
from ThyroidSynthLib.slicer.scene.display.study_case import shown_shape
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment


class Reader:
    """A reader who uses keys alone once the study is set up."""

    def __init__(self, hands, folder: Path, *, name: str = "AB") -> None:
        self.hands, self.folder = hands, folder
        hands.open("compare")
        hands.click("studyButton")
        hands.readerEdit.setText(name)
        hands.studyFolderEdit.setCurrentPath(str(folder))
        hands.app.process_events()

    def start(self) -> None:
        self.hands.click("startStudyButton")

    def press(self, key: str, *, widget=None) -> None:
        """Press a key, such as "3" or "Backspace", while a widget has the focus (default: the window)."""
        from PySide6 import QtCore, QtTest

        target = widget if widget is not None else self.hands.startStudyButton.window()
        target.window().activateWindow()
        self.hands.app.process_events()
        QtTest.QTest.keyClick(target, getattr(QtCore.Qt, f"Key_{key}"))
        self.hands.app.process_events()

    @property
    def text(self) -> str:
        return self.hands.studyShapeLabel.text

    @property
    def rated(self) -> list[str]:
        """The ratings on the disk, in the order in which they were given."""
        lines = [path.read_text().splitlines()[1:] for path in sorted(self.folder.glob("ratings-*.csv"))]
        return [line.split(",")[4] for table in lines for line in table]

    @property
    def plan(self) -> StudyPlan:
        return StudyPlan.open(self.folder)

    def shown(self) -> float:
        """Volume of the shape that is shown, by which it can be recognised."""
        return surface_of_segment(shown_shape(self.hands.app.scene), "shape").volume
