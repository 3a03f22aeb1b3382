"""Conversion between surfaces and VTK poly data. Positions stay in the caller's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .surface import Surface

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData


def polydata_of(surface: Surface, *, normals: bool = False) -> vtkPolyData:
    """Convert a surface to new poly data in single precision, with point normals for smooth shading if `normals`."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    points = vtkPoints()
    points.SetData(numpy_to_vtk(surface.vertices.astype(np.float32), deep=True))
    triangles = vtkCellArray()
    offsets = np.arange(0, 3 * len(surface.faces) + 1, 3)
    triangles.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(surface.faces.ravel(), deep=True)
    )
    polydata = vtkPolyData()
    polydata.SetPoints(points)
    polydata.SetPolys(triangles)
    if normals:
        point_normals = numpy_to_vtk(vertex_normals(surface).astype(np.float32), deep=True)
        point_normals.SetName("Normals")
        polydata.GetPointData().SetNormals(point_normals)
    return polydata


def surface_of(polydata: vtkPolyData, *, merge_points: bool = True) -> Surface:
    """Convert poly data to a surface: polygons are split into triangles, lines and vertices are ignored.

    With `merge_points`, points at the same position become one vertex, and triangles without area then are dropped.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersCore import vtkCleanPolyData, vtkTriangleFilter

    triangles = vtkTriangleFilter()
    triangles.PassLinesOff()
    triangles.PassVertsOff()
    triangles.SetInputData(polydata)
    if merge_points:
        clean = vtkCleanPolyData()
        clean.SetInputData(polydata)
        triangles.SetInputConnection(clean.GetOutputPort())
    triangles.Update()
    result = triangles.GetOutput()
    if result.GetNumberOfPolys() == 0:
        return Surface(np.empty((0, 3)), np.empty((0, 3)))
    faces = vtk_to_numpy(result.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(vtk_to_numpy(result.GetPoints().GetData()), faces)


def vertex_normals(surface: Surface) -> np.ndarray:
    """Return the outward unit normals at the vertices, shape (V, 3): means over the faces, weighted by their area."""
    scaled_normals = surface.scaled_normals
    corners = surface.faces.T.ravel()
    normals = np.stack(
        [np.bincount(corners, np.tile(scaled_normals[:, axis], 3), len(surface.vertices)) for axis in range(3)], axis=1
    )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(length > 0, length, 1.0)
