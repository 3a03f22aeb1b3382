"""A 3-D image with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import SimpleITK

# SimpleITK speaks LPS; the patient coordinates of Slicer and of this library are RAS.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Volume:
    """A 3-D array of voxels in patient space.

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

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance between neighbouring voxel centres along i, j and k, in mm."""
        return np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000.0

    def to_ras(self, ijk: np.ndarray) -> np.ndarray:
        """Map continuous voxel indices (..., 3) in i, j, k order to `ras_mm`."""
        return np.asarray(ijk) @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3]

    def to_ijk(self, ras_mm: np.ndarray) -> np.ndarray:
        """Map `ras_mm` positions (..., 3) to continuous voxel indices in i, j, k order."""
        return (np.asarray(ras_mm) - self.ijk_to_ras[:3, 3]) @ np.linalg.inv(self.ijk_to_ras[:3, :3]).T

    def center_of_mass_ras(self) -> np.ndarray:
        """Mean `ras_mm` position of the non-zero voxels, shape (3,)."""
        kji = np.argwhere(self.array)
        if len(kji) == 0:
            raise ValueError("An empty mask has no centre of mass.")
        return self.to_ras(kji.mean(axis=0)[::-1])

    def cropped(self, margin: int = 0) -> Volume:
        """Cut to the bounding box of the non-zero voxels, with `margin` voxels of zeros around it.

        The margin is padded where the scan ends, so that a surface of the result is always closed.
        """
        occupied = [np.flatnonzero(self.array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        if len(occupied[0]) == 0:
            raise ValueError("An empty mask cannot be cropped.")
        first = np.array([indices[0] for indices in occupied])
        last = np.array([indices[-1] for indices in occupied])
        inner = self.array[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))]
        moved = self.ijk_to_ras.copy()
        moved[:3, 3] = self.to_ras((first - margin)[::-1])
        return Volume(np.pad(inner, margin), moved)


def volume_from_sitk(image: SimpleITK.Image) -> Volume:
    """Convert a SimpleITK image (LPS) to a volume (RAS)."""
    import SimpleITK

    lps = np.eye(4)
    lps[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    lps[:3, 3] = image.GetOrigin()
    return Volume(SimpleITK.GetArrayFromImage(image), _LPS_TO_RAS @ lps)


def sitk_from_volume(volume: Volume) -> Any:
    """Convert a volume (RAS) to a SimpleITK image (LPS)."""
    import SimpleITK

    lps = _LPS_TO_RAS @ volume.ijk_to_ras
    # SimpleITK knows no Booleans.
    voxels = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels))
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection((lps[:3, :3] / volume.spacing_mm).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image
