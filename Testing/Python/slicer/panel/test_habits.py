"""The whole panel: keyboard, small screens, dark theme, two instances, reload, nothing left behind."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids


@pytest.fixture
def habits(slicer_app):
    """Functions to inspect widgets, which can be imported only when the stand-in is running."""
    from standin import inspection

    return inspection


def test_every_widget_has_a_tooltip_and_is_reached_by_the_keyboard(ready, habits):
    import qt

    ready.click("generateButton")
    ready.module.panel.show()
    bar = ready.module.widget.panel.bar.widget
    for name, page in itertools.chain(ready.pages(), [("bar", bar)]):
        touched = [
            each for each in habits.widgets_in(page) if isinstance(each, habits.TOUCHED) and habits.in_sight(each, page)
        ]
        assert len(touched) > 3, name
        assert {habits.name_of(each) for each in touched if not habits.tooltip_of(each, page)} == set(), name

        chain = habits.focus_chain(page)
        kinds = (qt.QPushButton, qt.QCheckBox, qt.QComboBox)
        buttons = {habits.name_of(each) for each in touched if isinstance(each, kinds) and each.enabled}
        assert buttons - {habits.name_of(each) for each in chain} == set(), name

        places = [(habits.name_of(each), habits.place_of(each, page)) for each in chain]
        back = [
            f"{after} comes after {before}, which is below"
            for (before, place), (after, next_place) in itertools.pairwise(places)
            if next_place.bottom() < place.top()
        ]
        assert back == [], name


def test_a_screen_reader_has_a_name_for_every_control(ready, habits):
    from PySide6 import QtGui

    def spoken(widget) -> str:
        return QtGui.QAccessible.queryAccessibleInterface(widget).text(QtGui.QAccessible.Name)

    ready.click("generateButton")
    ready.click("generateButton")
    ready.open("compare")
    ready.click("studyButton")
    study = ready.studySetupPage.window()
    bar = ready.module.widget.panel.bar.widget
    nameless = {}
    for name, page in itertools.chain(ready.pages(), [("bar", bar), ("study", study)]):
        # Headers of tables, scroll bars, and the lists of combo boxes are no stops of a screen reader.
        controls = [
            each
            for each in habits.widgets_in(page)
            if isinstance(each, habits.TOUCHED) and int(each.focusPolicy) and each.window() is page.window()
        ]
        assert len(controls) > 3, name
        nameless[name] = [habits.name_of(each) for each in controls if not re.search(r"\w\w", spoken(each))]
    assert not any(nameless.values()), nameless
    assert spoken(ready.exportFolderEdit.comboBox()) == "Folder"
    assert spoken(ready.spacingASpinBox) == "Voxel size in the anteroposterior direction"
    assert spoken(ready.volumeSlider.findChild(type(ready.spacingASpinBox))).startswith("Target")
    assert "random seed" in spoken(ready.history1Button)
    assert spoken(ready.exportButton) == "Export"


def test_the_keyboard_focus_is_restored_after_an_operation(ready):
    from PySide6 import QtCore, QtTest

    ready.open("generate")
    ready.module.panel.show()
    ready.module.panel.activateWindow()
    ready.app.process_events()
    ready.generateButton.setFocus()
    QtTest.QTest.keyClick(ready.generateButton, QtCore.Qt.Key_Space)
    ready.app.process_events()
    assert len(generated_thyroids(ready.app.scene)) == 1
    assert ready.generateButton.focus


def test_long_names_keep_numbers_visible(ready):
    import qt

    ready.click("generateButton")
    ready.open("compare")
    ready.module.panel.show()
    ready.module.panel.resize(450, 900)
    long = "TotalSegmentator thorax CT 2024 segmentation (being edited)"
    for node in (ready.parameters.result, ready.parameters.segmentation, ready.parameters.ct):
        node.SetName(long)
    ready.module.widget.panel.session.announceThyroids()
    ready.app.process_events()
    view, model = ready.thyroidTable, ready.thyroidTable.model()
    metrics = view.fontMetrics()
    for column in range(1, 7):
        lines = model.index(0, column).data().split("\n")
        assert max(map(metrics.horizontalAdvance, lines)) < view.columnWidth(column), column
    assert view.columnWidth(0) > metrics.horizontalAdvance("thyroid_12")
    assert sum(view.columnWidth(column) for column in range(7)) <= view.viewport().width
    assert model.index(0, 0).data(qt.Qt.ToolTipRole).startswith(long)


def test_the_dark_theme_has_no_white_areas_and_legible_texts(ready, habits):
    from standin import pictures

    ready.click("generateButton")
    for name, page in ready.pages():
        light = pictures.of_widget(page, 380).mean(axis=2)
        with habits.dark_theme():
            dark = pictures.of_widget(page, 380).mean(axis=2)
        rows, columns = np.minimum(light.shape, dark.shape)
        # White in both themes: a picture that does not follow the theme.
        assert ((light[:rows, :columns] > 225) & (dark[:rows, :columns] > 225)).mean() < 0.03, name
        assert np.median(dark) < 90, name
        assert (dark > 150).mean() > 0.005, name


@pytest.fixture
def second(ready):
    """A second panel of the module, as Slicer makes for another window."""
    panel = ready.module.module.createNewWidgetRepresentation()
    panel.enter()
    ready.app.process_events()
    yield panel.self()
    ready.module.close()  # makes both clean up
    panel.delete()


def named(widget, name: str):
    import qt

    (found,) = widget.panel.widget.findChildren(qt.QWidget, name)
    return found


def test_two_panels_show_the_same_parameters_and_one_can_be_closed(ready, second):
    first = ready.module.widget
    named(first, "seedSpinBox").setValue(4711)
    ready.app.process_events()
    assert named(second, "seedSpinBox").value == 4711
    named(second, "seedSpinBox").setValue(12)
    ready.app.process_events()
    assert ready.parameters.seed == named(first, "seedSpinBox").value == 12

    for widget in (first, second):
        named(widget, "generateButton").click()
        ready.app.process_events()
    assert len(generated_thyroids(ready.app.scene)) == 1
    second.cleanup()
    named(first, "generateButton").click()
    assert len(generated_thyroids(ready.app.scene)) == 1


def test_of_two_panels_in_one_window_one_handles_a_shortcut(ready, second):
    import qt
    from PySide6 import QtCore, QtTest

    ready.click("generateButton")
    window = qt.QWidget()
    layout = qt.QHBoxLayout(window)
    for widget in (ready.module.widget, second):
        layout.addWidget(widget.panel.widget)
        widget.panel.tabs.open("compare")
    window.show()
    window.activateWindow()
    ready.app.process_events()
    names = ["patient's own", ready.parameters.result.GetName()]
    for focused in (second, ready.module.widget):
        other = ready.module.widget if focused is second else second
        named(focused, "showAllButton").setFocus()
        for name in [*names, *names]:
            QtTest.QTest.keyClick(window, QtCore.Qt.Key_F8)
            ready.app.process_events()
            assert name in named(focused, "comparisonLabel").text
            assert not named(other, "showBothButton").enabled
        # The panel that flips continues, also when the focus is in a view.
        named(focused, "showAllButton").clearFocus()
        QtTest.QTest.keyClick(window, QtCore.Qt.Key_F8)
        ready.app.process_events()
        assert names[0] in named(focused, "comparisonLabel").text
        named(focused, "showBothButton").click()
    for widget in (ready.module.widget, second):
        widget.panel.widget.setParent(None)


def test_a_reloaded_module_has_the_same_parameters(ready):
    ready.seedSpinBox.setValue(99)
    ready.click("generateButton")
    before = ready.parameters.result
    ready.module.reload()
    ready.module.widget.enter()
    ready.app.process_events()
    assert named(ready.module.widget, "seedSpinBox").value == 99
    named(ready.module.widget, "generateButton").click()
    assert generated_thyroids(ready.app.scene) == [before]


def test_a_closed_module_leaves_no_observer_timer_process_or_thread(slicer_app, dataset, model_file):
    import slicer

    from standin.leaks import held
    from support.panel_hands import PROJECT, Hands
    from ThyroidSynthLib.dataset.case_sources import find_cases
    from ThyroidSynthLib.slicer.scene.patient.loading import load_case

    for name in ("Red", "Green", "Yellow", "1"):
        slicer_app.view(name)
    # Loaded outside the module, so that the patient's nodes exist before and after.
    load_case(slicer.mrmlScene, find_cases(dataset)[0])
    slicer_app.process_events()

    def use_the_module() -> None:
        module = slicer_app.load_module(PROJECT / "ThyroidSynth" / "ThyroidSynth.py")
        module.select()
        hands = Hands(slicer_app, module)
        hands.parameters.ct = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
        hands.parameters.segmentation = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        hands.choose_model(model_file)
        hands.click("generateButton")
        hands.volumeSlider.setValue(20.0)
        slicer_app.process_events()
        module.reload()
        module.close()
        for node in generated_thyroids(slicer.mrmlScene):
            slicer.mrmlScene.RemoveNode(node)
        slicer_app.process_events()

    # Slicer's own selectors and views add observers on first use; only growth after that is a leak.
    use_the_module()
    before = held(slicer_app.scene)
    use_the_module()
    assert held(slicer_app.scene).leaks_since(before) == []
