"""A small shaded picture of a thyroid.

Own code, because a picture takes about ten milliseconds with NumPy and needs no render window of VTK.
"""

from __future__ import annotations

import numpy as np

from .surface import Surface

EXTENT_MM = 72.0
"""Width that a picture shows, the same for all so that sizes can be compared; a larger gland is scaled to fit."""

# Each triangle is drawn as points, this many along a side: enough for triangles of a few pixels.
_LATTICE = 3
# Pixels are drawn at this multiple of the resolution and averaged.
_FINER = 2
# Light from the front, from above and from the left of the picture.
_LIGHT = np.array([0.45, 0.75, 0.5])
_AMBIENT = 0.35


def shaded(
    surface_mm: Surface, *, pixels: int = 56, extent_mm: float = EXTENT_MM, lattice: int = _LATTICE
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a surface in mm from the front, in the middle of the picture, with the patient's left on the right.

    Parameters
    ----------
    extent_mm : float
        Height and width that the picture of `pixels` by `pixels` shows.
    lattice : int
        Points along the side of each triangle; larger pictures need more, or the far side shows through gaps.

    Returns
    -------
    brightness : ndarray of float, shape (pixels, pixels)
        0 to 1, first row on top; undefined where `cover` is 0.
    cover : ndarray of float, shape (pixels, pixels)
        Fraction of each pixel that the surface covers.
    """
    lower, upper = surface_mm.bounds
    size = pixels * _FINER
    scale = size / max(extent_mm, 1.05 * float((upper - lower)[[0, 2]].max()))
    points, faces = _points_on(surface_mm, lattice)
    middle = (lower + upper) / 2
    column = np.clip((size / 2 - (points[:, 0] - middle[0]) * scale).astype(np.int64), 0, size - 1)
    row = np.clip((size / 2 - (points[:, 2] - middle[2]) * scale).astype(np.int64), 0, size - 1)
    # Draw from back to front, so that the front remains.
    order = np.argsort(points[:, 1], kind="stable")
    brightness, cover = np.zeros(size * size), np.zeros(size * size)
    pixel = (row * size + column)[order]
    brightness[pixel] = _lit(surface_mm)[faces[order]]
    cover[pixel] = 1.0
    whole = _reduced(cover, size)
    return _reduced(brightness, size) / np.maximum(whole, 1e-9), whole


def _points_on(surface: Surface, lattice: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points spread over all triangles, shape (n, 3), and the index of each one's triangle."""
    share = [((i + 1 / 3) / lattice, (j + 1 / 3) / lattice) for i in range(lattice) for j in range(lattice - i)]
    u, v = np.array(share).T
    weights = np.stack([1 - u - v, u, v], axis=1)
    points = np.einsum("lw,fwx->flx", weights, surface.corners).reshape(-1, 3)
    return points, np.repeat(np.arange(len(surface.faces)), len(weights))


def _lit(surface: Surface) -> np.ndarray:
    """Return the brightness of each triangle, 0 to 1, shape (F,)."""
    normals = surface.scaled_normals
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    facing = np.maximum(normals @ (_LIGHT / np.linalg.norm(_LIGHT)), 0.0)
    return _AMBIENT + (1 - _AMBIENT) * facing


def _reduced(values: np.ndarray, size: int) -> np.ndarray:
    """Return the means of blocks of `_FINER` by `_FINER` pixels."""
    return values.reshape(size // _FINER, _FINER, size // _FINER, _FINER).mean(axis=(1, 3))
