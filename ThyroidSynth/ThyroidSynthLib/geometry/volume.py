"""A 3-D image with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .grid import Grid, box_of, flip_lps_ras

if TYPE_CHECKING:
    import SimpleITK


@dataclass(frozen=True)
class Volume:
    """An array of voxels on a grid in space.

    Attributes
    ----------
    array : ndarray, shape (nk, nj, ni)
        Voxel values in the index order of SimpleITK and of Slicer's ``arrayFromVolume``.
    ijk_to_ras : ndarray, shape (4, 4)
        Maps a voxel index (i, j, k, 1) to the `ras_mm` position of the voxel's centre.
    """

    array: np.ndarray
    ijk_to_ras: np.ndarray

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise ValueError(f"A volume has three axes, not {self.array.ndim}.")
        object.__setattr__(self, "ijk_to_ras", np.asarray(self.ijk_to_ras, dtype=np.float64).reshape(4, 4))

    @cached_property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        nk, nj, ni = self.array.shape
        return Grid((nk, nj, ni), self.ijk_to_ras)

    @property
    def spacing_mm(self) -> np.ndarray:
        """See `Grid.spacing_mm`."""
        return self.grid.spacing_mm

    @property
    def voxel_volume_ml(self) -> float:
        """See `Grid.voxel_volume_ml`."""
        return self.grid.voxel_volume_ml

    def to_ras(self, ijk: np.ndarray) -> np.ndarray:
        """See `Grid.to_ras`."""
        return self.grid.to_ras(ijk)

    def to_ijk(self, ras_mm: np.ndarray) -> np.ndarray:
        """See `Grid.to_ijk`."""
        return self.grid.to_ijk(ras_mm)

    def center_of_mass_ras(self) -> np.ndarray:
        """Return the mean `ras_mm` position of the non-zero voxels, shape (3,); `ValueError` if there are none."""
        kji = np.argwhere(self.array)
        if len(kji) == 0:
            raise ValueError("An empty mask has no centre of mass.")
        return self.to_ras(kji.mean(axis=0)[::-1])

    def part(self, box: tuple[slice, slice, slice]) -> Volume:
        """Return the voxels of a box of indices along k, j and i, which must begin within the array; a view."""
        array = self.array[box]
        return Volume(array, self.grid.part([axis.start for axis in box], array.shape).ijk_to_ras)

    def towards(self, directions: str) -> Volume:
        """Return the volume with its axes exchanged and mirrored, without any change of a voxel's place or value.

        `directions` says where i, j and k increase to, such as ``"LPS"``: one letter of each of R/L, A/P and S/I. Of
        oblique axes the nearest ones are taken.
        """
        along = self.grid.axes_along_ras()
        array, matrix = self.array, self.ijk_to_ras.copy()
        order = [int(along["RASLPI".index(letter) % 3]) for letter in directions]
        array = array.transpose([2 - axis for axis in reversed(order)])
        matrix[:3, :3] = matrix[:3, order]
        for axis, letter in enumerate(directions):
            row, sign = "RASLPI".index(letter) % 3, 1 if letter in "RAS" else -1
            if sign * matrix[row, axis] < 0:
                array = np.flip(array, axis=2 - axis)
                matrix[:3, 3] += matrix[:3, axis] * (array.shape[2 - axis] - 1)
                matrix[:3, axis] *= -1
        return Volume(np.ascontiguousarray(array), matrix)

    def cropped(self, margin: int = 0) -> Volume:
        """Return the bounding box of the non-zero voxels, with `margin` voxels of zeros around it.

        The margin is also added where the scan ends, so that a surface of the result is always closed. `ValueError` if
        all voxels are zero.
        """
        if not self.array.any():
            raise ValueError("An empty mask cannot be cropped.")
        inner = self.part(box_of(self.array != 0))
        array = np.pad(inner.array, margin)
        return Volume(array, inner.grid.part([-margin] * 3, array.shape).ijk_to_ras)

    def straightened(self) -> Volume:
        """Return the volume resampled, by linear interpolation, on the nearest grid with axes at right angles.

        What lies outside this volume has its least value, as air has around a CT. See `Grid.straightened`.
        """
        from scipy.ndimage import affine_transform

        grid = self.grid.straightened()
        to_own = (np.linalg.inv(self.ijk_to_ras) @ grid.ijk_to_ras)[[2, 1, 0, 3]][:, [2, 1, 0, 3]]
        array = affine_transform(
            self.array, to_own, output_shape=grid.shape, order=1, cval=float(self.array.min()), prefilter=False
        )
        return Volume(array, grid.ijk_to_ras)


def sitk_from_volume(volume: Volume) -> SimpleITK.Image:
    """Convert a volume (RAS) to a SimpleITK image (LPS)."""
    import SimpleITK

    # SimpleITK knows no Booleans.
    voxels = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels))
    axes = flip_lps_ras(volume.ijk_to_ras[:3].T).T
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection((axes[:, :3] / volume.spacing_mm).ravel().tolist())
    image.SetOrigin(axes[:, 3].tolist())
    return image
