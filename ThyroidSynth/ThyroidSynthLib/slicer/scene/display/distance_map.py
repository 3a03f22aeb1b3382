"""A thyroid coloured by its distance to another one: a model node with a legend in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.slicer.scene.nodes import add_node, node_with, remove_node

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLScene

ATTRIBUTE = "ThyroidSynth.DistanceMap"
"""Attribute of the map's nodes: `map` on the model node, `colours` on its colour table."""

SCALARS = "Distance (mm)"

# Blue inside, white at 0, red outside (after Moreland's cool-warm map), which most colour-blind people can read.
_INSIDE, _MIDDLE, _OUTSIDE = (0.23, 0.30, 0.75), (0.95, 0.95, 0.93), (0.71, 0.02, 0.15)
_COLOURS = 256
_SLICE_LINE_WIDTH = 3


def show_distance_map(
    scene: vtkMRMLScene, name: str, surface_ras: Surface, values_mm: np.ndarray, *, range_mm: float, legend: str
) -> vtkMRMLModelNode:
    """Show a surface coloured by signed distances, replacing an earlier map.

    Parameters
    ----------
    values_mm : ndarray, shape (V,)
        Signed distance of each vertex.
    range_mm : float
        Distance at either end of the colour scale.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk

    polydata = polydata_of(surface_ras, normals=True)
    scalars = numpy_to_vtk(np.asarray(values_mm, dtype=np.float32), deep=True)
    scalars.SetName(SCALARS)
    polydata.GetPointData().AddArray(scalars)
    polydata.GetPointData().SetActiveScalars(SCALARS)
    model = distance_map_of(scene)
    if model is None:
        model = add_node(scene, "vtkMRMLModelNode", name, ATTRIBUTE, "map")
        model.CreateDefaultDisplayNodes()
    model.SetName(name)
    model.SetAndObservePolyData(polydata)
    _colour(model, range_mm)
    _add_legend(model, legend)
    return model


def distance_map_of(scene: vtkMRMLScene) -> vtkMRMLModelNode | None:
    """Return the model node of the map; None when there is none."""
    return node_with(scene, "vtkMRMLModelNode", ATTRIBUTE, "map")


def remove_distance_map(scene: vtkMRMLScene) -> None:
    """Remove the map with its legend and colours."""
    model = distance_map_of(scene)
    if model is not None:
        remove_node(model)
    colours = node_with(scene, "vtkMRMLColorTableNode", ATTRIBUTE, "colours")
    if colours is not None:
        scene.RemoveNode(colours)


def _colour(model, range_mm: float) -> None:
    display = model.GetDisplayNode()
    modifying = display.StartModify()
    display.SetAndObserveColorNodeID(_colours(model.GetScene()).GetID())
    display.SetActiveScalar(SCALARS, 0)  # 0 is vtkAssignAttribute::POINT_DATA
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    display.SetScalarRange(-range_mm, range_mm)
    display.SetScalarVisibility(True)
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(_SLICE_LINE_WIDTH)
    # Highlights would change the colours, which stand for numbers.
    display.SetSpecular(0.0)
    display.SetAmbient(0.25)
    display.EndModify(modifying)


def _colours(scene):
    node = node_with(scene, "vtkMRMLColorTableNode", ATTRIBUTE, "colours")
    if node is not None:
        return node
    node = add_node(scene, "vtkMRMLColorTableNode", "ThyroidSynth distance colours", ATTRIBUTE, "colours")
    node.SetHideFromEditors(True)
    node.SetTypeToUser()
    node.SetNumberOfColors(_COLOURS)
    stops = np.array([_INSIDE, _MIDDLE, _OUTSIDE])
    for index, at in enumerate(np.linspace(-1.0, 1.0, _COLOURS)):
        r, g, b = (float(np.interp(at, (-1.0, 0.0, 1.0), stops[:, channel])) for channel in range(3))
        node.SetColor(index, f"{at:+.2f}", r, g, b, 1.0)
    return node


def _add_legend(model, title: str) -> None:
    import slicer

    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(model)
    legend.SetTitleText(title)
    legend.SetLabelFormat("%+.1f")
    legend.SetNumberOfLabels(5)
    legend.SetSize(0.12, 0.45)
    legend.SetVisibility(True)
