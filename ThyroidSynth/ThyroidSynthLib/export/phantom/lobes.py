"""Lobes and isthmus of a thyroid as separate closed surfaces.

The isthmus is the part around the midsagittal plane that is thinner than the lobes: it ends on each side at the
sagittal plane in which the sectional area has risen halfway from its least value near the midline to that of the lobe,
but at most `LARGEST_MM` from the midline. A gland that does not cross the midsagittal plane has no isthmus.
"""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.export.neck.phantom_labels import ISTHMUS, LEFT_LOBE, RIGHT_LOBE
from ThyroidSynthLib.geometry.features import midsagittal_area
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface

LARGEST_MM = 15.0
"""Largest distance of an end of the isthmus from the midline."""

_STEP_MM = 0.5
_NEAR_MIDLINE_MM = 4.0


def lobes_of(surface_ras: Surface, placement: Placement) -> dict[str, Surface]:
    """Return the lobes and the isthmus of a closed thyroid in `ras_mm`, by the names of their labels.

    A lobe that does not exist is left out.
    """
    surface = surface_ras.moved(placement.to_trachea(surface_ras.vertices))
    ends = isthmus_ends_mm(surface)
    if ends is None:
        halves = {RIGHT_LOBE: (0.0, None), LEFT_LOBE: (None, 0.0)}
    else:
        halves = {RIGHT_LOBE: (ends[1], None), ISTHMUS: ends, LEFT_LOBE: (None, ends[0])}
    found = {}
    for name, (low, high) in halves.items():
        part = _between(surface, low, high)
        if part is not None:
            found[name] = part.moved(placement.to_ras(part.vertices))
    return found


def isthmus_ends_mm(surface: Surface) -> tuple[float, float] | None:
    """Return where the isthmus of a thyroid in `trachea_mm` ends on the left (negative) and on the right, or None."""
    if midsagittal_area(surface) <= 0:
        return None
    at = np.arange(-LARGEST_MM - 15.0, LARGEST_MM + 15.0 + _STEP_MM / 2, _STEP_MM)
    areas = np.array([midsagittal_area(surface.moved(surface.vertices - (x, 0.0, 0.0))) for x in at])
    near = np.abs(at) <= _NEAR_MIDLINE_MM
    middle = int(np.flatnonzero(near)[areas[near].argmin()])
    ends = []
    for direction in (-1, 1):
        side = areas[middle::direction]
        halfway = (areas[middle] + side.max()) / 2
        beyond = int((side >= halfway).argmax())
        end = at[middle] + direction * beyond * _STEP_MM
        ends.append(float(np.clip(end, -LARGEST_MM, LARGEST_MM)))
    return (ends[0], ends[1]) if ends[1] - ends[0] >= _STEP_MM else None


def _between(surface: Surface, low: float | None, high: float | None) -> Surface | None:
    """Return the part of a closed surface between two sagittal planes as a closed surface, or None if it is empty."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkPlane, vtkPlaneCollection
    from vtkmodules.vtkFiltersCore import vtkCleanPolyData, vtkTriangleFilter
    from vtkmodules.vtkFiltersGeneral import vtkClipClosedSurface

    x = surface.vertices[:, 0]
    if (low is None or x.min() >= low) and (high is None or x.max() <= high):
        return surface
    if (low is not None and x.max() <= low) or (high is not None and x.min() >= high):
        return None
    planes = vtkPlaneCollection()
    for position, direction in ((low, 1.0), (high, -1.0)):
        if position is not None:
            plane = vtkPlane()
            plane.SetOrigin(position, 0.0, 0.0)
            plane.SetNormal(direction, 0.0, 0.0)
            planes.AddItem(plane)
    clipped = vtkClipClosedSurface()
    clipped.SetInputData(polydata_of(surface))
    clipped.SetClippingPlanes(planes)
    clipped.SetTolerance(1e-9)
    triangles = vtkTriangleFilter()
    triangles.SetInputConnection(clipped.GetOutputPort())
    merged = vtkCleanPolyData()
    merged.SetInputConnection(triangles.GetOutputPort())
    merged.SetTolerance(0.0)
    merged.Update()
    found = merged.GetOutput()
    if found.GetNumberOfCells() == 0:
        return None
    faces = vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(vtk_to_numpy(found.GetPoints().GetData()), faces)
