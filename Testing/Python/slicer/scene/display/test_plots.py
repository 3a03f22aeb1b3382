"""Charts in the plot views: nodes are created once, the layout is restored, nothing is saved."""

from __future__ import annotations

import numpy as np

from standin.strictness import node_ids
from ThyroidSynthLib.slicer.scene.display.plots import (
    BARS,
    LINE,
    OF_THYROIDS,
    OF_TRAINING,
    POINTS,
    ROLE,
    Chart,
    ChartView,
    Series,
    fill_chart,
    layout_of,
    remove_chart,
    restore_layout,
    show_chart,
)

GREY, GREEN = (0.5, 0.5, 0.5), (0.1, 0.6, 0.4)


def chart(points: int = 2) -> Chart:
    return Chart(
        title="Volume",
        x_title="Volume (mL)",
        y_title="Share (%)",
        series=(
            Series("Cohort", BARS, np.array([5.0, 10.0, 15.0]), np.array([20.0, 50.0, 30.0]), GREY),
            Series("Made here", LINE, np.array([5.0, 15.0]), np.array([0.0, 100.0]), GREEN),
            Series("Each", POINTS, np.arange(points, dtype=float), np.zeros(points), GREEN),
        ),
        x_range=(0.0, 20.0),
    )


def series_of(node) -> list[str]:
    return [node.GetNthPlotSeriesNode(index).GetName() for index in range(node.GetNumberOfPlotSeriesNodes())]


def test_a_chart_has_its_series_and_titles(scene):
    node = fill_chart(scene, chart())
    assert node.GetTitle() == "Volume"
    assert node.GetXAxisTitle() == "Volume (mL)"
    assert node.GetXAxisRange() == (0.0, 20.0)
    assert not node.GetXAxisRangeAuto()
    assert node.GetYAxisRangeAuto()
    assert series_of(node) == ["Cohort", "Made here", "Each"]
    bars = node.GetNthPlotSeriesNode(0)
    assert bars.GetPlotType() == bars.PlotTypeScatterBar
    table = bars.GetTableNode().GetTable()
    assert [table.GetValueByName(row, bars.GetYColumnName()).ToDouble() for row in range(3)] == [20.0, 50.0, 30.0]


def test_a_single_point_is_written_twice_because_vtk_cannot_draw_one(scene):
    table = fill_chart(scene, chart(points=1)).GetNthPlotSeriesNode(2).GetTableNode().GetTable()
    assert table.GetNumberOfRows() == 2
    assert [[table.GetValue(row, column).ToDouble() for column in range(2)] for row in range(2)] == [[0.0, 0.0]] * 2
    assert fill_chart(scene, chart(points=2)).GetNthPlotSeriesNode(2).GetTableNode().GetTable().GetNumberOfRows() == 2
    one_bar = Series("Cohort", BARS, np.array([5.0]), np.array([20.0]), GREY)
    node = fill_chart(scene, Chart("Volume", "x", "y", (one_bar,)))
    assert node.GetNthPlotSeriesNode(0).GetTableNode().GetTable().GetNumberOfRows() == 1


def test_nodes_are_created_once_hidden_and_not_saved(scene):
    import slicer

    # In Slicer the subject hierarchy exists from the start.
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    before = node_ids(scene)
    node = fill_chart(scene, chart())
    made = node_ids(scene) - before
    assert len(made) == 7  # a chart, and three series with a table each
    assert fill_chart(scene, chart(5)) is node
    assert node_ids(scene) - before == made
    assert node.GetNthPlotSeriesNode(2).GetTableNode().GetTable().GetNumberOfRows() == 5
    for node_id in made:
        each = scene.GetNodeByID(node_id)
        assert not each.GetSaveWithScene()
        assert each.GetHideFromEditors() == (each is not node)


def test_an_empty_series_is_left_out(scene):
    node = fill_chart(scene, chart(0))
    assert series_of(node) == ["Cohort", "Made here"]
    assert series_of(fill_chart(scene, chart(1))) == ["Cohort", "Made here", "Each"]


def test_a_chart_is_shown_and_the_previous_layout_restored(scene, slicer_app):
    import slicer

    before = layout_of(scene)
    node = fill_chart(scene, chart())
    assert layout_of(scene) == before
    assert show_chart(node) == before
    assert layout_of(scene) == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView
    view = scene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    assert view.GetPlotChartNodeID() == node.GetID()
    restore_layout(scene, before)
    assert slicer_app.app.layoutManager().layout == before


def roles(scene) -> list[str]:
    nodes = (scene.GetNodeByID(each) for each in node_ids(scene))
    return sorted(role for node in nodes if (role := node.GetAttribute(ROLE)))


def test_two_charts_have_nodes_of_their_own_and_one_is_removed(scene):
    thyroids = fill_chart(scene, chart())
    losses = fill_chart(scene, chart(), OF_TRAINING)
    assert losses is not thyroids and (thyroids.GetName(), losses.GetName()) == (
        "ThyroidSynth",
        "ThyroidSynth training",
    )
    of_thyroids = [role for role in roles(scene) if not role.startswith(OF_TRAINING)]
    remove_chart(scene, OF_TRAINING)
    assert roles(scene) == of_thyroids and series_of(thyroids) == ["Cohort", "Made here", "Each"]
    remove_chart(scene, OF_THYROIDS)
    assert roles(scene) == []


def test_an_axis_is_logarithmic_on_demand(scene):
    assert not fill_chart(scene, chart()).GetYAxisLogScale()
    single = Chart("Loss", "Epoch", "Loss", (Series("Loss", LINE, np.ones(2), np.ones(2), GREY),), y_log=True)
    node = fill_chart(scene, single)
    assert node.GetYAxisLogScale() and not node.GetLegendVisibility(), "one series needs no legend"
    assert fill_chart(scene, chart()).GetLegendVisibility()


def test_a_chart_view_restores_the_layout_and_the_chart_of_others(scene, slicer_app):
    before = layout_of(scene)
    other = fill_chart(scene, chart())
    show_chart(other)
    with_plot = layout_of(scene)
    view = ChartView(scene, OF_TRAINING)
    view.close()
    assert layout_of(scene) == with_plot, "it was not shown"
    view.show(chart())
    view.show(chart(5))
    plot = scene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    assert view.shown and plot.GetPlotChartNode().GetName() == "ThyroidSynth training"
    view.close()
    assert not view.shown and layout_of(scene) == with_plot
    assert plot.GetPlotChartNodeID() == other.GetID()
    restore_layout(scene, before)
    view.show(chart())
    assert layout_of(scene) == with_plot
    view.close()
    assert layout_of(scene) == before
    assert not any(role.startswith(OF_TRAINING) for role in roles(scene))


def test_a_chart_view_forgets_a_scene_that_was_closed(scene, slicer_app):
    view = ChartView(scene, OF_TRAINING)
    view.show(chart())
    scene.AddObserver(scene.StartCloseEvent, lambda caller, event: view.close())
    scene.Clear(False)
    assert not view.shown and roles(scene) == []
    view.show(chart())
    assert view.shown and OF_TRAINING + "chart" in roles(scene)


def test_a_paused_chart_view_leaves_the_layout_to_the_file_of_the_scene(scene, slicer_app):
    before = layout_of(scene)
    view = ChartView(scene, OF_TRAINING)
    view.pause()
    view.resume()
    assert layout_of(scene) == before
    view.show(chart())
    with_plot, nodes = layout_of(scene), roles(scene)
    view.pause()
    assert layout_of(scene) == before and view.shown
    view.resume()
    assert layout_of(scene) == with_plot and roles(scene) == nodes
    # A layout that the user has chosen meanwhile is kept.
    restore_layout(scene, before)
    view.pause()
    view.resume()
    assert layout_of(scene) == before
