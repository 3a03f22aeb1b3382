"""Table, comparison and charts of the section Inspect, checked in nodes and pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.table_hands import Table, make
from ThyroidSynthLib.slicer.scene.display.distance_map import distance_map_of
from ThyroidSynthLib.slicer.scene.display.plots import layout_of
from ThyroidSynthLib.slicer.scene.thyroids.collection import visible_thyroids
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids

VIEWS = ("Red", "Green", "Yellow", "1")
NAME, KIND, VOLUME, ISTHMUS, SYMMETRY, NEAREST, CODE = range(7)


@pytest.fixture
def three(ready):
    """Return the panel with three thyroids from direct sampling and the section Inspect opened."""
    ready.exactCheckBox.setChecked(False)
    ready.open("compare")
    ready.module.panel.show()
    make(ready, 1, 2, 3)
    return ready


@pytest.fixture
def table(three):
    return Table(three)


def test_the_table_shows_kind_measured_features_and_targets(three, table):
    nodes = generated_thyroids(three.app.scene)
    assert table.texts() == [node.GetName() for node in nodes]
    record = read_record(nodes[0])
    assert table.texts(KIND)[0].startswith("generated")
    assert table.texts(VOLUME)[0] == f"{record.measured['volume_ml']:.1f}\n(15.0)"
    assert table.texts(SYMMETRY)[0] == f"{record.measured['symmetry']:.2f}\n(0.60)"


def test_the_nearest_training_shape_is_found_while_idle_and_cached(three, table):
    import slicer

    three.click("generateButton")  # so that the model is in memory
    three.wait(lambda: not any(text == "…" for text in table.texts(NEAREST)), 40)
    assert all(0.0 < float(text) < 20.0 for text in table.texts(NEAREST))
    assert all(0.0 < float(text) < 5.0 for text in table.texts(CODE))
    kept = list(Path(slicer.app.cachePath, "ThyroidSynth").glob("training-shapes-*.npz"))
    assert len(kept) >= 1


def test_thyroids_of_another_model_are_marked(three, table, tmp_path, dataset, monkeypatch):
    from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE

    node = generated_thyroids(three.app.scene)[1]
    checksum = read_record(node).model
    node.SetAttribute(ATTRIBUTE, node.GetAttribute(ATTRIBUTE).replace(checksum, "0" * 64))
    three.module.widget.panel.session.announceThyroids()
    three.app.process_events()
    assert table.texts(NEAREST)[1] == "another\nmodel"


def test_a_click_shows_a_thyroid_alone_and_moves_no_camera(three, table):
    nodes = generated_thyroids(three.app.scene)
    camera = three.app.view("1").camera_node()
    before = camera.GetPosition(), camera.GetFocalPoint()
    red = three.app.view("Red").node
    red.SetSliceOffset(red.GetSliceOffset() + 100)
    table.click(nodes[0].GetName())
    assert three.parameters.result is nodes[0]
    assert visible_thyroids(three.app.scene) == [nodes[0]]
    bounds = np.zeros(6)
    nodes[0].GetRASBounds(bounds)
    assert bounds[4] < red.GetSliceOffset() < bounds[5]
    assert (camera.GetPosition(), camera.GetFocalPoint()) == before
    three.click("showAllButton")
    assert len(visible_thyroids(three.app.scene)) == 3
    table.click(nodes[0].GetName())
    assert visible_thyroids(three.app.scene) == [nodes[0]]


def test_arrow_keys_choose_the_next_thyroid(three, table):
    from PySide6 import QtCore, QtTest

    nodes = generated_thyroids(three.app.scene)
    table.click(nodes[0].GetName())
    table.view.setFocus()
    three.module.panel.activateWindow()
    three.app.process_events()
    QtTest.QTest.keyClick(table.view, QtCore.Qt.Key_Down)
    three.app.process_events()
    assert three.parameters.result is nodes[1]


def test_a_click_on_a_column_header_sorts_by_number(three, table):
    table.sort(VOLUME)
    found = [float(text.split("\n")[0]) for text in table.texts(VOLUME)]
    assert found == sorted(found)
    table.sort(VOLUME)
    found = [float(text.split("\n")[0]) for text in table.texts(VOLUME)]
    assert found == sorted(found, reverse=True)
    make(three, 9)
    found = [float(text.split("\n")[0]) for text in table.texts(VOLUME)]
    assert len(found) == 4
    assert found == sorted(found, reverse=True)


def test_a_thyroid_is_renamed_in_the_table(three, table):
    from PySide6 import QtCore, QtTest, QtWidgets

    node = generated_thyroids(three.app.scene)[0]
    table.click(node.GetName())
    three.click("renameButton")
    editor = table.view.findChild(QtWidgets.QLineEdit)
    editor.setText("My thyroid")
    QtTest.QTest.keyClick(editor, QtCore.Qt.Key_Return)
    three.app.process_events()
    assert node.GetName() == "My thyroid"
    assert "My thyroid" in table.texts()


def test_a_removed_thyroid_can_be_restored(three, table):
    nodes = generated_thyroids(three.app.scene)
    names, record = [node.GetName() for node in nodes], read_record(nodes[1])
    assert not three.restoreButton.enabled
    table.click(names[1])
    three.click("removeButton")
    assert table.texts() == [names[0], names[2]]
    assert three.parameters.result in generated_thyroids(three.app.scene)
    three.click("restoreButton")
    assert sorted(table.texts()) == sorted(names)
    assert three.parameters.result.GetName() == names[1]
    assert read_record(three.parameters.result) == record
    assert not three.restoreButton.enabled


def test_all_selected_thyroids_are_removed(three, table):
    names = table.texts()
    table.click(names[0])
    table.click(names[2], add=True)
    three.click("removeButton")
    assert table.texts() == [names[1]]
    three.click("restoreButton")
    three.click("restoreButton")
    assert sorted(table.texts()) == sorted(names)


def test_flip_changes_every_view_and_moves_no_camera(three, table):
    table.click(table.texts()[2])
    own = three.parameters.segmentation.GetDisplayNode()
    before = own.GetSegmentVisibility("thyroid_gland"), own.GetSegmentOpacity3D("thyroid_gland")
    camera = three.app.view("1").camera_node()
    at = camera.GetPosition(), camera.GetFocalPoint()
    three.click("flipButton")
    assert "patient's own" in three.comparisonLabel.text
    real = {name: three.app.view(name).grab().astype(int) for name in VIEWS}
    three.click("flipButton")
    made = {name: three.app.view(name).grab().astype(int) for name in VIEWS}
    assert three.parameters.result.GetName() in three.comparisonLabel.text
    for name in VIEWS:
        assert (np.abs(real[name] - made[name]).max(axis=2) > 20).sum() > 50, name
    assert (camera.GetPosition(), camera.GetFocalPoint()) == at
    three.click("showBothButton")
    assert (own.GetSegmentVisibility("thyroid_gland"), own.GetSegmentOpacity3D("thyroid_gland")) == before
    assert not three.showBothButton.enabled


def test_a_hint_is_shown_only_if_a_comparison_is_not_possible(three, table):
    hint = "Choose a thyroid in the table"
    table.click(table.texts()[0])
    assert hint not in three.comparisonLabel.text
    three.parameters.result = None
    three.app.process_events()
    assert hint in three.comparisonLabel.text
    assert not three.flipButton.enabled
    table.click(table.texts()[1])
    assert three.comparisonLabel.text == ""
    three.click("distanceMapButton")
    three.click("distanceMapButton")
    assert three.statusLabel.text == "The colours were removed."


def test_a_renamed_node_is_renamed_in_the_table(three, table):
    three.parameters.result.SetName("mine")
    three.app.process_events()
    assert "mine" in table.texts()


def test_the_shortcut_and_the_timer_flip(three, table):
    from PySide6 import QtCore, QtTest

    table.click(table.texts()[0])
    three.module.panel.activateWindow()
    three.app.process_events()
    QtTest.QTest.keyClick(three.seedSpinBox, QtCore.Qt.Key_F8)
    three.app.process_events()
    assert "patient's own" in three.comparisonLabel.text
    three.click("showBothButton")
    three.flipTimedCheckBox.click()
    three.app.process_events()
    assert "patient's own" in three.comparisonLabel.text
    three.wait(lambda: three.parameters.result.GetName() in three.comparisonLabel.text, 5)
    three.click("showBothButton")
    assert not three.flipTimedCheckBox.checked


def test_leaving_the_module_ends_the_flip(three, table):
    table.click(table.texts()[0])
    three.click("flipButton")
    three.module.leave()
    display = generated_thyroids(three.app.scene)[0].GetDisplayNode()
    assert display.GetSegmentVisibility(SEGMENT_ID)
    three.module.select()
    assert not three.showBothButton.enabled


def test_colours_by_distance_are_shown_with_numbers_and_can_be_removed(three, table):
    table.click(table.texts()[1])
    node = three.parameters.result
    before = three.app.view("1").grab().astype(int)
    three.click("distanceMapButton")
    model = distance_map_of(three.app.scene)
    assert model.GetPolyData().GetPointData().GetScalars().GetName() == "Distance (mm)"
    low, high = model.GetDisplayNode().GetScalarRange()
    assert low == -high
    assert not node.GetDisplayNode().GetVisibility3D()
    assert "mean" in three.comparisonLabel.text
    assert "95th percentile" in three.comparisonLabel.text
    coloured = three.app.view("1").grab().astype(int)
    assert (np.abs(coloured - before).max(axis=2) > 30).sum() > 500
    three.click("distanceMapButton")
    assert distance_map_of(three.app.scene) is None
    assert node.GetDisplayNode().GetVisibility3D()
    assert (three.app.view("1").grab().astype(int) == before).all()


def test_colours_are_removed_when_a_thyroid_changes(three, table):
    table.click(table.texts()[1])
    three.click("distanceMapButton")
    three.click("generateButton")
    three.app.process_events()
    assert distance_map_of(three.app.scene) is None
    assert not three.distanceMapButton.checked
    assert "changed" in three.comparisonLabel.text
    assert three.parameters.result.GetDisplayNode().GetVisibility3D()


def test_two_thyroids_are_compared(three, table):
    nodes = generated_thyroids(three.app.scene)
    table.click(nodes[0].GetName())
    three.comparedSelector.setCurrentNode(nodes[1])
    three.click("flipButton")
    assert nodes[1].GetName() in three.comparisonLabel.text
    three.click("distanceMapButton")
    assert nodes[1].GetName() in three.comparisonLabel.text
    three.comparedSelector.setCurrentNode(nodes[0])
    three.app.process_events()
    assert distance_map_of(three.app.scene) is None
    assert not three.flipButton.enabled


def test_a_chart_is_shown_and_the_layout_restored(three, table):
    before = layout_of(three.app.scene)
    three.click("chartButton")
    assert layout_of(three.app.scene) != before
    chart = three.app.scene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    names = [chart.GetNthPlotSeriesNode(i).GetName() for i in range(chart.GetNumberOfPlotSeriesNodes())]
    assert names[0].startswith("Cohort (")
    assert names[1] == "In this scene (3)"
    assert chart.GetXAxisTitle() == "volume (mL)"
    three.choose("chartSelector", "Symmetry: target and measured")
    assert chart.GetTitle() == "Symmetry: target and measured"
    table_node = chart.GetNthPlotSeriesNode(1).GetTableNode()
    assert table_node.GetTable().GetNumberOfRows() == 3
    make(three, 8)
    assert chart.GetNthPlotSeriesNode(1).GetTableNode().GetTable().GetNumberOfRows() == 4
    three.click("chartButton")
    assert layout_of(three.app.scene) == before


def test_a_saved_scene_holds_the_distance_map_and_no_chart(three, table, tmp_path):
    table.click(table.texts()[1])
    three.click("chartButton")
    three.click("distanceMapButton")
    summary = three.comparisonLabel.text
    path = three.save_and_close(tmp_path)
    assert distance_map_of(three.app.scene) is None
    assert not three.chartButton.checked
    three.open_scene(path)
    assert three.app.scene.GetFirstNodeByClass("vtkMRMLPlotChartNode") is None
    assert three.app.scene.GetFirstNodeByClass("vtkMRMLPlotSeriesNode") is None
    assert len(table.texts()) == 3
    assert three.distanceMapButton.checked
    assert three.comparisonLabel.text == summary
    three.click("distanceMapButton")
    assert three.parameters.result.GetDisplayNode().GetVisibility3D()


def test_the_section_is_disabled_without_thyroids(hands):
    assert "no thyroids yet" in hands.inspectHintLabel.text
    for name in ("showAllButton", "removeButton", "flipButton", "distanceMapButton"):
        assert not getattr(hands, name).enabled
