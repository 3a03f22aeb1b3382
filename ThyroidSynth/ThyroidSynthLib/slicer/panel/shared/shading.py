"""Small shaded pictures of surfaces as Qt has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import qt

from ThyroidSynthLib.geometry.thumbnail import EXTENT_MM, shaded

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.surface import Surface


def shadedPixmap(surface: Surface, colour, ground, *, pixels: int, extent_mm: float = EXTENT_MM):
    """Draw a surface from the front over a plain ground.

    Parameters
    ----------
    surface : Surface
        In `trachea_mm` or `ras_mm`.
    colour : tuple of float
        Red, green and blue from 0 to 1.
    ground : QColor
        What lies behind, such as the widget's own background.
    pixels, extent_mm
        As in `synthesis.thumbnail.shaded`.
    """
    brightness, cover = shaded(surface, pixels=pixels, extent_mm=extent_mm, lattice=max(3, pixels // 20))
    behind = np.array([ground.red(), ground.green(), ground.blue()], dtype=float)
    lit = 255 * np.clip(brightness[..., None] * np.array(colour) * 1.1, 0, 1)
    image = cover[..., None] * lit + (1 - cover[..., None]) * behind
    # The plainest of the formats that Qt reads: no image of Qt's takes NumPy's memory in every version.
    data = b"P6 %d %d 255\n" % (pixels, pixels) + image.round().astype(np.uint8).tobytes()
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(data), "PPM")
    return pixmap
