"""A chart node drawn off screen, as ``qMRMLPlotView`` draws it with VTK's charts."""

from __future__ import annotations

import numpy as np
import vtk

SIZE = (520, 400)
_MARKERS = {  # of vtkMRMLPlotSeriesNode, to vtkPlotPoints
    0: vtk.vtkPlotPoints.NONE,
    1: vtk.vtkPlotPoints.CROSS,
    2: vtk.vtkPlotPoints.PLUS,
    3: vtk.vtkPlotPoints.SQUARE,
    4: vtk.vtkPlotPoints.CIRCLE,
    5: vtk.vtkPlotPoints.DIAMOND,
}


def draw_chart(chart_node, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw a ``vtkMRMLPlotChartNode`` and read back the picture, (height, width, 3) uint8.

    Raises
    ------
    ValueError
        A series has no table, or no such columns; a plot view shows nothing of it then.
    """
    from vtk.util.numpy_support import vtk_to_numpy

    view = vtk.vtkContextView()
    view.GetRenderer().SetBackground(1.0, 1.0, 1.0)
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(*size)
    chart = vtk.vtkChartXY()
    view.GetScene().AddItem(chart)
    for index in range(chart_node.GetNumberOfPlotSeriesNodes()):
        _add_series(chart, chart_node.GetNthPlotSeriesNode(index))
    _dress(chart, chart_node)
    window.Render()
    reader = vtk.vtkWindowToImageFilter()
    reader.SetInput(window)
    reader.ReadFrontBufferOff()
    reader.Update()
    width, height, _ = reader.GetOutput().GetDimensions()
    pixels = vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3].copy()
    window.Finalize()
    return pixels


def _add_series(chart: vtk.vtkChartXY, series) -> None:
    table = series.GetTableNode().GetTable() if series.GetTableNode() is not None else None
    names = series.GetXColumnName(), series.GetYColumnName()
    if table is None or any(table.GetColumnByName(name) is None for name in names):
        raise ValueError(f"The series '{series.GetName()}' has no columns {names}.")
    bars = series.GetPlotType() == series.PlotTypeScatterBar
    plot = chart.AddPlot(vtk.vtkChart.BAR if bars else vtk.vtkChart.LINE)
    plot.SetInputData(table, *names)
    plot.SetLabel(series.GetName())
    plot.SetColorF(*series.GetColor())
    plot.SetWidth(series.GetLineWidth())
    if not bars:
        solid = series.GetLineStyle() == series.LineStyleSolid
        plot.GetPen().SetLineType(vtk.vtkPen.SOLID_LINE if solid else vtk.vtkPen.NO_PEN)
        plot.SetMarkerStyle(_MARKERS[series.GetMarkerStyle()])
        plot.SetMarkerSize(series.GetMarkerSize())


def _dress(chart: vtk.vtkChartXY, node) -> None:
    chart.SetTitle(node.GetTitle() or "")
    chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
    chart.SetShowLegend(node.GetLegendVisibility())
    chart.GetLegend().SetLabelSize(node.GetLegendFontSize())
    axes = (
        (vtk.vtkAxis.BOTTOM, node.GetXAxisTitle(), node.GetXAxisRangeAuto(), node.GetXAxisRange()),
        (vtk.vtkAxis.LEFT, node.GetYAxisTitle(), node.GetYAxisRangeAuto(), node.GetYAxisRange()),
    )
    for place, title, automatic, limits in axes:
        axis = chart.GetAxis(place)
        axis.SetTitle(title or "")
        axis.GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
        axis.GetTitleProperties().SetBold(False)
        axis.GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())
        axis.SetGridVisible(node.GetGridVisibility())
        if not automatic:
            axis.SetBehavior(vtk.vtkAxis.FIXED)
            axis.SetRange(*limits)
    chart.GetAxis(vtk.vtkAxis.LEFT).SetLogScale(node.GetYAxisLogScale())
