"""A chart in Slicer's plot views: its nodes are made once, and only their contents change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from slicer import vtkMRMLPlotChartNode, vtkMRMLScene

ROLE = "ThyroidSynth.Plot"
"""Attribute of the chart's nodes, by which they are found again: what each one is for."""

BARS, LINE, POINTS = "bars", "line", "points"
_X, _Y = "x", "y"


@dataclass(frozen=True)
class Series:
    """One series of a chart.

    Attributes
    ----------
    name : str
        As the legend says it.
    style : str
        `BARS`, `LINE` or `POINTS`.
    x, y : ndarray, shape (n,)
        Positions; a series without any is left out of the chart.
    colour : tuple of float
        Red, green, blue from 0 to 1.
    """

    name: str
    style: str
    x: np.ndarray
    y: np.ndarray
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Chart:
    """What a chart shows: titles, series from back to front, and axes (None: as the data needs it)."""

    title: str
    x_title: str
    y_title: str
    series: Sequence[Series] = field(default_factory=tuple)
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


def fill_chart(scene: vtkMRMLScene, chart: Chart) -> vtkMRMLPlotChartNode:
    """Show a chart on the module's chart node; the nodes are made when they are first needed.

    They are no part of a saved scene: a chart is drawn again from the thyroids, which are.
    """
    node = _node(scene, "vtkMRMLPlotChartNode", "chart")
    # The chart itself can be chosen in a plot view, so it is the one node a user sees.
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
    """Show a chart, in a layout with a plot view; gives the layout that was there before."""
    import slicer

    layout = layout_of(chart.GetScene())
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    return layout


def layout_of(scene: vtkMRMLScene) -> int:
    """Give the number of the present layout of the views."""
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()


def restore_layout(scene: vtkMRMLScene, layout: int) -> None:
    """Bring a layout of the views back."""
    scene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(layout)


def _fill_series(scene, index: int, series: Series) -> str:
    """Write one series into its table and its series node; gives the series node's ID."""
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
    found = scene.GetNodesByClass(class_name)
    found.UnRegister(None)
    for index in range(found.GetNumberOfItems()):
        node = found.GetItemAsObject(index)
        if node.GetAttribute(ROLE) == role:
            return node
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(f"ThyroidSynth plot {role}")
    node.SetAttribute(ROLE, role)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)
