"""Charts in Slicer's plot views, whose nodes are created once and then updated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.slicer.scene.nodes import add_hidden_node, node_with, nodes_of

if TYPE_CHECKING:
    from slicer import vtkMRMLPlotChartNode, vtkMRMLScene

ROLE = "ThyroidSynth.Plot"
"""Attribute of a chart's nodes: chart and purpose of each, by which it is found again."""

OF_THYROIDS, OF_TRAINING = "", "training "
"""The charts that there can be at the same time."""

BARS, LINE, POINTS = "bars", "line", "points"
_X, _Y = "x", "y"
_TABLE, _SERIES = "vtkMRMLTableNode", "vtkMRMLPlotSeriesNode"


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
    """Contents of a chart: titles, series from back to front, and axis ranges (None: fitted to the data).

    With `y_log` the y axis is logarithmic.
    """

    title: str
    x_title: str
    y_title: str
    series: Sequence[Series] = field(default_factory=tuple)
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    y_log: bool = False


def fill_chart(scene: vtkMRMLScene, chart: Chart, which: str = OF_THYROIDS) -> vtkMRMLPlotChartNode:
    """Write one of the module's charts, `OF_THYROIDS` or `OF_TRAINING`, into its node, which is created on first use.

    Its nodes are not saved with the scene: a chart is drawn again from the thyroids or the job folder.
    """
    node = _node(scene, "vtkMRMLPlotChartNode", f"{which}chart")
    # Of the chart's nodes, only this one can be chosen in a plot view.
    node.SetHideFromEditors(False)
    modifying = node.StartModify()
    node.SetName(f"ThyroidSynth {which}".strip())
    node.SetTitle(chart.title)
    node.SetTitleFontSize(15)
    node.SetAxisTitleFontSize(13)
    node.SetLegendVisibility(len(chart.series) > 1)
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
    node.SetYAxisLogScale(chart.y_log)
    shown = [_fill_series(scene, f"{which}{{}} {n}", each) for n, each in enumerate(chart.series) if len(each.x)]
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


def remove_chart(scene: vtkMRMLScene, which: str) -> None:
    """Remove the nodes of one of the module's charts, if there are any."""
    for class_name, role in (("vtkMRMLPlotChartNode", "chart"), (_SERIES, "series "), (_TABLE, "table ")):
        for node in nodes_of(scene, class_name):
            if (node.GetAttribute(ROLE) or "").startswith(f"{which}{role}"):
                scene.RemoveNode(node)


class ChartView:
    """Shows one of the module's charts in a plot view; `close` restores what the views showed before."""

    def __init__(self, scene: vtkMRMLScene, which: str) -> None:
        self._scene, self._which = scene, which
        # The layout and the chart in the plot views before, and the layout since.
        self._before: tuple[int, str] | None = None
        self._layout = 0
        self._paused = False

    @property
    def shown(self) -> bool:
        """Whether the chart is shown."""
        return self._before is not None

    def show(self, chart: Chart) -> None:
        """Show the chart, or update it where it is shown."""
        node = fill_chart(self._scene, chart, self._which)
        if self._before is None:
            other = _application_logic().GetSelectionNode().GetActivePlotChartID() or ""
            self._before = show_chart(node), other
            self._layout = layout_of(self._scene)

    def pause(self) -> None:
        """Restore the layout until `resume`, so that a saved scene has no empty plot view: charts are not saved."""
        if self._before is not None and layout_of(self._scene) == self._layout:
            restore_layout(self._scene, self._before[0])
            self._paused = True

    def resume(self) -> None:
        """Show the chart again after `pause`."""
        if self._paused and self._before is not None:
            restore_layout(self._scene, self._layout)
        self._paused = False

    def close(self) -> None:
        """Remove the chart and restore the layout, unless the user has changed it."""
        if self._before is None:
            return
        (layout, other), self._before = self._before, None
        if self._scene.IsClosing():
            return
        if layout_of(self._scene) == self._layout:
            restore_layout(self._scene, layout)
        remove_chart(self._scene, self._which)
        if self._scene.GetNodeByID(other) is not None:
            _application_logic().GetSelectionNode().SetActivePlotChartID(other)
            _application_logic().PropagatePlotChartSelection()


def layout_of(scene: vtkMRMLScene) -> int:
    """Return the number of the current layout of the views."""
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()


def restore_layout(scene: vtkMRMLScene, layout: int) -> None:
    """Restore a layout of the views by its number."""
    scene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(layout)


def _fill_series(scene, role: str, series: Series) -> str:
    """Write a series into its table and series node; return the ID of the series node."""
    table = _node(scene, _TABLE, role.format("table"))
    # VTK logs an error for lines and points of one position only.
    times = 2 if len(series.x) == 1 and series.style != BARS else 1
    _write_columns(table, np.repeat(series.x, times), np.repeat(series.y, times))
    node = _node(scene, _SERIES, role.format("series"))
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


def _application_logic():
    import slicer

    return slicer.app.applicationLogic()


def _node(scene, class_name: str, role: str):
    node = node_with(scene, class_name, ROLE, role)
    return node or add_hidden_node(scene, class_name, f"ThyroidSynth plot {role}", ROLE, role)
