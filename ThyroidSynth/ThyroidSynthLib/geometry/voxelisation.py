"""Label maps of surfaces: which voxels of a grid lie inside, and which share of each voxel does."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError

from .features import column_crossings
from .grid import Grid
from .polydata import polydata_of
from .surface import Surface
from .volume import Volume

# Distance of the columns over which the share of a voxel is integrated: in mm, and relative to the largest extent.
_COLUMN_MM = 0.4
_COLUMNS_ACROSS = 60
_MOST_COLUMNS = 24
# Keeps the columns off vertices and edges, which often lie between or at the centres of voxels; in column distances.
_OFF_VERTICES = (1.37e-3, 2.91e-3)


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


def volume_fractions(surface_ras: Surface, grid: Grid) -> np.ndarray:
    """Return the share of each voxel of a grid that lies inside a closed surface, float32 of the grid's shape.

    The surface is in `ras_mm`. Shares are integrated over columns along i, exactly along each column, so that their sum
    is the volume of the surface also where voxels are much larger than its details. `SynthesisError` if the surface is
    open.
    """
    if not surface_ras.is_closed():
        raise SynthesisError("The surface is not closed, so it has no inside. Generate this thyroid again.")
    shares = np.zeros(grid.shape, dtype=np.float32)
    lower, upper = surface_ras.bounds
    ijk = grid.to_ijk(surface_ras.vertices)
    first = np.maximum(np.floor(ijk.min(axis=0) + 0.5).astype(int), 0)
    last = np.minimum(np.ceil(ijk.max(axis=0) - 0.5).astype(int), grid.last_ijk)
    if (first > last).any():
        return shares
    step = min(_COLUMN_MM, float((upper - lower).max()) / _COLUMNS_ACROSS)
    per_voxel = np.clip(np.ceil(grid.spacing_mm[1:] / step), 1, _MOST_COLUMNS)
    inside = surface_ras.moved(ijk - first)
    columns = (inside.vertices[:, 1:] + 0.5) * per_voxel - 0.5 + _OFF_VERTICES
    j, k, x, entering = column_crossings(inside, columns)
    # A mirrored grid turns the triangles inside out.
    entering = entering * np.sign(np.linalg.det(grid.ijk_to_ras[:3, :3]))
    size = last - first + 1
    j, k = (np.floor_divide(node, count).astype(int) for node, count in zip((j, k), per_voxel, strict=True))
    near = (j >= 0) & (j < size[1]) & (k >= 0) & (k < size[2])
    i = np.clip(np.floor(x + 0.5).astype(int), -1, size[0])
    # From each crossing on, the inside changes: by part of the voxel it lies in, and by all voxels after it.
    within = np.where(i < 0, 1.0, np.where(i < size[0], i + 0.5 - x, 0.0))
    row = ((k * size[1] + j) * (size[0] + 1))[near]
    weights, at = entering[near] / per_voxel.prod(), np.maximum(i[near], 0)
    length = int(size[1] * size[2] * (size[0] + 1))
    partial = np.bincount(row + at, weights * within[near], length)
    whole = np.bincount(row + np.minimum(at + 1, size[0]), weights, length)
    box = (partial.reshape(*size[:0:-1], -1) + np.cumsum(whole.reshape(*size[:0:-1], -1), axis=2))[..., :-1]
    k0, j0, i0 = first[::-1]
    shares[k0 : k0 + size[2], j0 : j0 + size[1], i0 : i0 + size[0]] = np.clip(box, 0.0, 1.0)
    return shares
