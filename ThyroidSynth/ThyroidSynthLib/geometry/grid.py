"""Label maps: which voxels of a given grid lie inside a surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError, SynthesisError

from .polydata import polydata_of
from .surface import Surface
from .volume import Volume

# A byte each: more would fill the memory of the computers this is made for.
_MOST_VOXELS = 2e9


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a label map lie.

    Attributes
    ----------
    size_kji : tuple of int
        Number of voxels along k, j and i: the shape of the array.
    ijk_to_ras : ndarray, shape (4, 4)
        Maps a voxel index (i, j, k, 1) to the `ras_mm` position of the voxel's centre.
    """

    size_kji: tuple[int, int, int]
    ijk_to_ras: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_kji", tuple(int(n) for n in self.size_kji))
        object.__setattr__(self, "ijk_to_ras", np.asarray(self.ijk_to_ras, dtype=np.float64).reshape(4, 4))
        if len(self.size_kji) != 3 or min(self.size_kji) < 1:
            raise ValueError("A grid needs three positive sizes.")

    @classmethod
    def of_volume(cls, volume: Volume) -> Grid:
        """Take the grid of an image."""
        return cls(volume.array.shape, volume.ijk_to_ras)

    @classmethod
    def around(cls, surface_ras: Surface, *, spacing_mm: float | Sequence[float], margin_mm: float = 5.0) -> Grid:
        """Make a grid along the patient's axes that holds a surface.

        Voxel centres lie on whole multiples of the spacing, so that the label maps of one cohort share
        a lattice and can be laid over each other without resampling.

        Parameters
        ----------
        surface_ras : Surface
            Surface in `ras_mm`.
        spacing_mm : float or three floats
            Edge of the voxels: one for cubes, or one each along R, A and S.
        margin_mm : float
            Least distance from the surface to the outermost voxel centres.

        Raises
        ------
        InputError
            The spacing is not positive, or so small that nobody can hold the label map.
        """
        spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), 3)
        if not (np.isfinite(spacing) & (spacing > 0)).all():
            raise InputError(f"A voxel spacing of {spacing_mm} mm is impossible. Give a positive one, such as 1.5.")
        lower, upper = surface_ras.bounds
        first = np.floor((lower - margin_mm) / spacing)
        last = np.ceil((upper + margin_mm) / spacing)
        if np.prod(last - first + 1) > _MOST_VOXELS:
            raise InputError(f"A voxel spacing of {spacing_mm} mm makes too large a label map. Give a larger one.")
        ijk_to_ras = np.diag([*spacing, 1.0])
        ijk_to_ras[:3, 3] = first * spacing
        return cls(tuple((last - first + 1).astype(int)[::-1]), ijk_to_ras)

    def to_ijk(self, ras_mm: np.ndarray) -> np.ndarray:
        """Map `ras_mm` positions (..., 3) to continuous voxel indices in i, j, k order."""
        return (np.asarray(ras_mm) - self.ijk_to_ras[:3, 3]) @ np.linalg.inv(self.ijk_to_ras[:3, :3]).T

    def grown_to_hold(self, surface_ras: Surface, *, margin_mm: float = 5.0) -> Grid:
        """Give the grid with as many more voxels on each side as hold a surface in `ras_mm`."""
        ijk = self.to_ijk(surface_ras.vertices)
        margin = margin_mm / np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)
        last = np.array(self.size_kji[::-1]) - 1
        before = np.maximum(np.ceil(margin - ijk.min(axis=0)), 0) * (ijk.min(axis=0) < 0)
        after = np.maximum(np.ceil(ijk.max(axis=0) + margin - last), 0) * (ijk.max(axis=0) > last)
        moved = self.ijk_to_ras.copy()
        moved[:3, 3] -= moved[:3, :3] @ before
        return Grid(tuple((last + 1 + before + after).astype(int)[::-1]), moved)

    def depth_mm(self, ras_mm: np.ndarray) -> np.ndarray:
        """Say how far positions (n, 3) lie within the outermost voxels' centres; negative beyond them.

        Returns
        -------
        ndarray, shape (n,)
            Distance to the nearest side, in mm.
        """
        ijk = self.to_ijk(ras_mm)
        last = np.array(self.size_kji[::-1]) - 1
        return (np.minimum(ijk, last - ijk) * np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)).min(axis=1)

    def holds(self, surface_ras: Surface) -> bool:
        """Say whether a surface in `ras_mm` lies wholly within the voxels, so that none of it is cut off."""
        ijk = self.to_ijk(surface_ras.vertices)
        return bool((ijk >= -0.5).all() and (ijk <= np.array(self.size_kji[::-1]) - 0.5).all())


def voxelise(surface_ras: Surface, grid: Grid) -> Volume:
    """Give the label map of a closed surface: 1 where a voxel's centre lies inside, else 0.

    The surface is brought into index space and scanned there, so rotated and mirrored grids are as
    exact as straight ones. What lies outside the grid is left out; see `Grid.holds`.

    Parameters
    ----------
    surface_ras : Surface
        Closed surface in `ras_mm` (or in whatever frame the grid's matrix maps to).
    grid : Grid
        Where the voxels lie.

    Returns
    -------
    Volume
        Array of uint8, shape `grid.size_kji`.

    Raises
    ------
    SynthesisError
        The surface is open, so it has no inside.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

    if not surface_ras.is_closed():
        raise SynthesisError(
            "The surface is not closed and has no inside to fill. Leave this thyroid out, or make it again "
            "in a larger box."
        )
    labels = np.zeros(grid.size_kji, dtype=np.uint8)
    in_grid = surface_ras.moved(grid.to_ijk(surface_ras.vertices))
    lower, upper = in_grid.bounds
    # Only the surface's own part of the grid is scanned: a gland fills less than a hundredth of a CT.
    first = np.maximum(np.floor(lower).astype(int), 0)
    last = np.minimum(np.ceil(upper).astype(int), np.array(grid.size_kji[::-1]) - 1)
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
