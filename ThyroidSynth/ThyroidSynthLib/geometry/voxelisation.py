"""Label maps of surfaces: which voxels of a grid lie inside."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError

from .grid import Grid
from .polydata import polydata_of
from .surface import Surface
from .volume import Volume


def voxelise(surface_ras: Surface, grid: Grid) -> Volume:
    """Return the label map (uint8) of a closed surface: 1 where a voxel's centre lies inside, else 0.

    The surface is in `ras_mm`, or in whatever frame the grid's matrix maps to. It is scanned in index space, so that
    rotated and mirrored grids are as exact as straight ones. What lies outside the grid is left out; see `Grid.holds`.
    `SynthesisError` if the surface is open, so that it has no inside.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

    if not surface_ras.is_closed():
        raise SynthesisError(
            "The surface is not closed, so it has no inside to fill. Leave this thyroid out, or generate it again "
            "in a larger box."
        )
    labels = np.zeros(grid.shape, dtype=np.uint8)
    in_grid = surface_ras.moved(grid.to_ijk(surface_ras.vertices))
    lower, upper = in_grid.bounds
    # Scan only the part of the grid around the surface: a gland fills less than a hundredth of a CT.
    first = np.maximum(np.floor(lower).astype(int), 0)
    last = np.minimum(np.ceil(upper).astype(int), grid.last_ijk)
    if (first > last).any():
        return Volume(labels, grid.ijk_to_ras)
    # VTK keeps single precision; small coordinates keep more of it.
    stencil = vtkPolyDataToImageStencil()
    stencil.SetInputData(polydata_of(in_grid.moved(in_grid.vertices - first)))
    extent = (last - first).tolist()
    stencil.SetOutputWholeExtent(0, extent[0], 0, extent[1], 0, extent[2])
    stencil.SetTolerance(0.0)
    image = vtkImageStencilToImage()
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.SetOutputScalarTypeToUnsignedChar()
    image.Update()
    filled = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape((last - first + 1)[::-1])
    labels[tuple(slice(a, b + 1) for a, b in zip(first[::-1], last[::-1], strict=True))] = filled
    return Volume(labels, grid.ijk_to_ras)
