"""Reads and writes images by SimpleITK, which is not the library's reader, to compare with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume


def volume_from_sitk(image: SimpleITK.Image) -> Volume:
    """Convert a SimpleITK image (LPS) to a volume (RAS)."""
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    grid = Grid.of_lps(image.GetSize()[::-1], axes, image.GetOrigin())
    return Volume(SimpleITK.GetArrayFromImage(image), grid.ijk_to_ras)


def write_by_sitk(volume: Volume, path: Path) -> Path:
    """Write a volume whose axes are at right angles, by SimpleITK."""
    image = SimpleITK.GetImageFromArray(volume.array)
    axes = np.diag([-1.0, -1.0, 1.0]) @ volume.ijk_to_ras[:3]
    image.SetDirection((axes[:, :3] / volume.spacing_mm).ravel())
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(axes[:, 3].tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=True)
    return path
