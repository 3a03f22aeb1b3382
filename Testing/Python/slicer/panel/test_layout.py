"""The panel fits into a narrow dock at any font size, and scrolling, folding and keys have no side effects."""

from __future__ import annotations

import re
from collections import Counter

import pytest

DOCK_WIDTH, SCROLL_BAR = 380, 16
# Alt keys of Slicer's menus File, Edit, View and Help, and of the application menus that extensions add.
TAKEN_BY_SLICER = set("FEVHW")


@pytest.fixture
def panel(request, slicer_app, dataset, model_file):
    """The panel with a patient and a generated thyroid; the size of the application's font is a parameter."""
    from PySide6 import QtGui, QtWidgets

    from support.panel_hands import PROJECT, Hands

    before = QtWidgets.QApplication.font()
    font = QtGui.QFont(before)
    font.setPointSizeF(before.pointSizeF() * getattr(request, "param", 1.0))
    QtWidgets.QApplication.setFont(font)
    module = slicer_app.load_module(PROJECT / "ThyroidSynth" / "ThyroidSynth.py")
    for name in ("Red", "Green", "Yellow", "1"):
        slicer_app.view(name)
    module.select()
    hands = Hands(slicer_app, module)
    hands.load(dataset)
    hands.choose_model(model_file)
    hands.click("generateButton")
    # As Slicer does when it shows a module.
    hands.module.panel.layout().setContentsMargins(0, 0, 0, 0)
    hands.module.panel.show()
    hands.module.panel.resize(DOCK_WIDTH - SCROLL_BAR, 900)
    slicer_app.process_events()
    yield hands
    QtWidgets.QApplication.setFont(before)


def smallest(panel) -> int:
    return panel.module.widget.panel.widget.minimumSizeHint.width()


def fits(page) -> bool:
    """Whether all of a page is seen in its scroll area, which has no horizontal bar."""
    return page.minimumSizeHint.width() <= page.parentWidget().width


@pytest.mark.parametrize("panel", [1.0, 1.5], ids=["100%", "150%"], indirect=True)
def test_nothing_is_wider_than_the_dock_or_cut_whatever_is_shown(panel):
    import ctk
    import qt

    from standin import inspection

    def check(name: str, page, cause: str) -> None:
        panel.app.process_events()
        assert smallest(panel) <= DOCK_WIDTH - SCROLL_BAR, (name, cause)
        assert fits(page), (name, cause, page.minimumSizeHint.width())

    assert panel.module.widget.panel.tabs.widget.tabBar().sizeHint.width() <= DOCK_WIDTH - SCROLL_BAR
    long = "TotalSegmentator thorax CT 2024 segmentation (being edited), second reading"
    for node in (panel.parameters.result, panel.parameters.segmentation, panel.parameters.ct):
        node.SetName(long)
    for name, page in panel.pages():
        check(name, page, "opened")
        assert inspection.cut_texts(page) == [], name
        for number in (*page.findChildren(qt.QSpinBox), *page.findChildren(qt.QDoubleSpinBox)):
            if number.enabled:
                number.value = number.maximum
        for slider in page.findChildren(ctk.ctkSliderWidget):
            if slider.enabled:
                slider.value = slider.maximum
        check(name, page, "extreme values")
        for label in page.findChildren(qt.QLabel):
            if label.wordWrap:
                label.text = "The targets cannot be matched from this thyroid; the closest one found is shown. " * 2
        check(name, page, "long texts")
        # As a user pulls the dock.
        for width in (900, DOCK_WIDTH - SCROLL_BAR):
            panel.module.panel.resize(width, 900)
            panel.app.process_events()
        check(name, page, "dock made wide and narrow again")
        assert inspection.cut_texts(page) == [], name


def test_parts_that_are_folded_and_opened_keep_their_heights(panel):
    import ctk
    import qt

    def heights(part) -> dict[str, int]:
        controls = (*part.findChildren(qt.QComboBox), *part.findChildren(qt.QPushButton))
        return {each.objectName: each.height for each in controls if each.visible and each.objectName}

    for name, page in panel.pages():
        for part in page.findChildren(ctk.ctkCollapsibleButton):
            if part.collapsed or not part.visible:
                continue
            panel.app.process_events()
            before = heights(part)
            part.collapsed = True
            panel.app.process_events()
            part.collapsed = False
            panel.app.process_events()
            assert heights(part) == before, (name, part.objectName)


def test_each_tab_has_its_most_important_button_in_bold(panel):
    import qt

    for name, page in panel.pages():
        # Windows and the part Edit have their own.
        if name in ("patient", "generate", "compare", "export", "train"):
            buttons = (*page.findChildren(qt.QPushButton), *page.findChildren(qt.QToolButton))
            bold = [each.objectName for each in buttons if each.font.bold() and each.visible]
            assert len(bold) == 1, (name, bold)


def test_the_bar_stays_in_sight_while_a_tab_is_scrolled(panel):
    from standin import inspection

    panel.module.panel.resize(DOCK_WIDTH - SCROLL_BAR, 400)
    panel.open("generate")
    scroll = panel.module.widget.panel.tabs.widget.currentWidget()
    assert scroll.verticalScrollBar().maximum > 0
    for position in (0, scroll.verticalScrollBar().maximum):
        scroll.verticalScrollBar().setValue(position)
        panel.app.process_events()
        assert inspection.place_of(panel.undoButton, panel.module.panel).top() >= 0
        assert inspection.place_of(panel.statusLabel, panel.module.panel).bottom() < 400


def test_no_key_is_taken_twice_or_from_slicers_menus(panel):
    import qt

    tabs = panel.module.widget.panel.tabs.widget
    always = [tabs.tabText(index) for index in range(tabs.count)]
    always += [panel.undoButton.text, panel.redoButton.text]
    for name, page in panel.pages():
        shown = (*page.findChildren(qt.QAbstractButton), *page.findChildren(qt.QLabel))
        texts = [each.text for each in shown if each.visible]
        # A window has keys of its own.
        texts = texts if name in ("library", "cohort", "phantom") else always + texts
        keys = Counter(key.upper() for text in texts for key in re.findall(r"&(\w)(?!\w*;)", text))
        assert [key for key, count in keys.items() if count > 1] == [], name
        assert TAKEN_BY_SLICER & set(keys) == set(), name


@pytest.mark.parametrize("name", ["detailSelector", "seedSpinBox", "volumeSlider"])
def test_the_wheel_changes_only_a_control_that_has_the_focus(ready, name):
    import qt
    from PySide6 import QtCore, QtGui, QtWidgets

    ready.open("generate")
    ready.generateAdvanced.collapsed = False
    ready.module.panel.show()
    ready.module.panel.activateWindow()
    ready.app.process_events()
    control = getattr(ready, name)
    inner = control.findChild(qt.QSlider) if name == "volumeSlider" else control

    def value():
        return control.currentIndex if name == "detailSelector" else control.value

    def turn_wheel() -> None:
        middle = QtCore.QPointF(inner.width / 2, inner.height / 2)
        event = QtGui.QWheelEvent(
            middle,
            middle,
            QtCore.QPoint(0, 0),
            QtCore.QPoint(0, -120),
            QtCore.Qt.NoButton,
            QtCore.Qt.NoModifier,
            QtCore.Qt.NoScrollPhase,
            False,
        )
        QtWidgets.QApplication.sendEvent(inner, event)
        ready.app.process_events()

    ready.seedSpinBox.setValue(7)
    before = value()
    ready.generateButton.setFocus()
    turn_wheel()
    assert value() == before
    if name != "volumeSlider":
        inner.setFocus()
        turn_wheel()
        assert value() != before
