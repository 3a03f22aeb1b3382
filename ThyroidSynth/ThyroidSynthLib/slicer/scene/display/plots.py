"""A chart in Slicer's plot views, whose nodes are created once and then updated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.slicer.scene.nodes import add_hidden_node, node_with

if TYPE_CHECKING:
    from slicer import vtkMRMLPlotChartNode, vtkMRMLScene

ROLE = "ThyroidSynth.Plot"
"""Attribute of the chart's nodes: the purpose of each, by which it is found again."""

BARS, LINE, POINTS = "bars", "line", "points"
_X, _Y = "x", "y"


@dataclass(frozen=True)
class Series:
    """One series of a chart: name in the legend, style (`BARS`, `LINE`, `POINTS`), positions (n,) and colour.

    A series without positions is left out of the chart.
    """

    name: str
    style: str
    x: np.ndarray
    y: np.ndarray
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Chart:
    """Contents of a chart: titles, series from back to front, and axis ranges (None: fitted to the data)."""

    title: str
    x_title: str
    y_title: str
    series: Sequence[Series] = field(default_factory=tuple)
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


def fill_chart(scene: vtkMRMLScene, chart: Chart) -> vtkMRMLPlotChartNode:
    """Write a chart into the module's chart node, which is created on first use.

    Its nodes are not saved with the scene: a chart is drawn again from the thyroids.
    """
    node = _node(scene, "vtkMRMLPlotChartNode", "chart")
    # Of the chart's nodes, only this one can be chosen in a plot view.
    node.SetHideFromEditors(False)
    modifying = node.StartModify()
    node.SetName("ThyroidSynth")
    node.SetTitle(chart.title)
    node.SetTitleFontSize(15)
    node.SetAxisTitleFontSize(13)
    node.SetLegendFontSize(12)
    node.SetXAxisTitle(chart.x_title)
    node.SetYAxisTitle(chart.y_title)
    node.SetGridVisibility(False)
    node.SetEnablePointMoveAlongX(False)
    node.SetEnablePointMoveAlongY(False)
    for axis, limits in (("X", chart.x_range), ("Y", chart.y_range)):
        getattr(node, f"Set{axis}AxisRangeAuto")(limits is None)
        if limits is not None:
            getattr(node, f"Set{axis}AxisRange")(*limits)
    shown = [_fill_series(scene, index, each) for index, each in enumerate(chart.series) if len(each.x)]
    if [node.GetNthPlotSeriesNodeID(i) for i in range(node.GetNumberOfPlotSeriesNodes())] != shown:
        node.RemoveAllPlotSeriesNodeIDs()
        for series_id in shown:
            node.AddAndObservePlotSeriesNodeID(series_id)
    node.EndModify(modifying)
    return node


def show_chart(chart: vtkMRMLPlotChartNode) -> int:
    """Show a chart in a layout with a plot view; return the number of the previous layout."""
    import slicer

    layout = layout_of(chart.GetScene())
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    return layout


def layout_of(scene: vtkMRMLScene) -> int:
    """Return the number of the current layout of the views."""
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()


def restore_layout(scene: vtkMRMLScene, layout: int) -> None:
    """Restore a layout of the views by its number."""
    scene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(layout)


def _fill_series(scene, index: int, series: Series) -> str:
    """Write a series into its table and series node; return the ID of the series node."""
    table = _node(scene, "vtkMRMLTableNode", f"table {index}")
    _write_columns(table, series.x, series.y)
    node = _node(scene, "vtkMRMLPlotSeriesNode", f"series {index}")
    modifying = node.StartModify()
    node.SetName(series.name)
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetXColumnName(_X)
    node.SetYColumnName(_Y)
    node.SetColor(*series.colour)
    node.SetPlotType(node.PlotTypeScatterBar if series.style == BARS else node.PlotTypeScatter)
    node.SetLineStyle(node.LineStyleSolid if series.style == LINE else node.LineStyleNone)
    node.SetLineWidth(2.0)
    node.SetMarkerStyle(node.MarkerStyleCircle if series.style == POINTS else node.MarkerStyleNone)
    node.SetMarkerSize(8.0)
    node.EndModify(modifying)
    return node.GetID()


def _write_columns(table, x: np.ndarray, y: np.ndarray) -> None:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkTable

    contents = vtkTable()
    for name, values in ((_X, x), (_Y, y)):
        column = numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float64), deep=True)
        column.SetName(name)
        contents.AddColumn(column)
    table.SetAndObserveTable(contents)


def _node(scene, class_name: str, role: str):
    node = node_with(scene, class_name, ROLE, role)
    return node or add_hidden_node(scene, class_name, f"ThyroidSynth plot {role}", ROLE, role)
