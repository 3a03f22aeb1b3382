"""Reads images by SimpleITK, which is not the library's reader, to compare with."""

from __future__ import annotations

import numpy as np
import SimpleITK

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume


def volume_from_sitk(image: SimpleITK.Image) -> Volume:
    """Convert a SimpleITK image (LPS) to a volume (RAS)."""
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    grid = Grid.of_lps(image.GetSize()[::-1], axes, image.GetOrigin())
    return Volume(SimpleITK.GetArrayFromImage(image), grid.ijk_to_ras)
