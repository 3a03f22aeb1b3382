"""Conversion of surfaces to VTK poly data and back."""

from __future__ import annotations

import numpy as np
import pytest
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersSources import vtkCubeSource

from support.analytic_shapes import box, ellipsoid
from ThyroidSynthLib.geometry.polydata import polydata_of, surface_of, vertex_normals


def test_a_surface_is_restored_from_poly_data() -> None:
    surface = ellipsoid((10.0, 12.0, 20.0), (100.0, -50.0, 900.0), subdivisions=3)

    again = surface_of(polydata_of(surface))

    np.testing.assert_allclose(again.corners, surface.corners, atol=1e-4)
    assert again.is_closed()


def test_polygons_with_separate_corners_become_a_closed_surface() -> None:
    cube = vtkCubeSource()
    cube.Update()
    assert cube.GetOutput().GetNumberOfPoints() == 24

    surface = surface_of(cube.GetOutput())

    assert len(surface.vertices) == 8
    assert surface.is_closed()
    assert surface.volume == pytest.approx(1.0)


def test_poly_data_without_polygons_is_an_empty_surface() -> None:
    assert len(surface_of(vtkPolyData()).faces) == 0


def test_poly_data_does_not_share_memory_with_the_surface() -> None:
    surface = box()
    polydata = polydata_of(surface)
    before = vtk_to_numpy(polydata.GetPoints().GetData()).copy()

    surface.vertices[:] = 0.0

    np.testing.assert_array_equal(vtk_to_numpy(polydata.GetPoints().GetData()), before)


def test_normals_point_outward_and_have_length_1() -> None:
    surface = ellipsoid(subdivisions=3)

    normals = vertex_normals(surface)

    np.testing.assert_allclose(normals, surface.vertices / 10.0, atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)
    stored = polydata_of(surface, normals=True).GetPointData().GetNormals()
    np.testing.assert_allclose(vtk_to_numpy(stored), normals, atol=1e-6)
    assert polydata_of(surface).GetPointData().GetNormals() is None
