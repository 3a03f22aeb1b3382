"""A small shaded picture of a thyroid, drawn with NumPy alone in about ten milliseconds."""

from __future__ import annotations

import numpy as np

from .surface import Surface

EXTENT_MM = 72.0
"""What a picture shows from side to side, so that small and large glands differ; a larger gland is fitted in."""

# Each triangle is drawn as points on this triangular lattice, dense enough for triangles of a few pixels.
_LATTICE = 3
_FINER = 2
# From the front and above, and from the left of the picture, as is usual.
_LIGHT = np.array([0.45, 0.75, 0.5])
_AMBIENT = 0.35


def shaded(
    surface_mm: Surface, *, pixels: int = 56, extent_mm: float = EXTENT_MM, lattice: int = _LATTICE
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a surface as an examiner sees it: from the front, the patient's left on the right.

    Parameters
    ----------
    surface_mm : Surface
        In `trachea_mm` or `ras_mm`; its middle comes to the middle of the picture.
    pixels : int
        Height and width.
    extent_mm : float
        Height and width of what is shown.
    lattice : int
        Points along the side of each triangle; a larger picture needs more, or the far side shines through.

    Returns
    -------
    brightness : ndarray of float, shape (pixels, pixels)
        0 to 1, first row on top; where nothing is drawn it means nothing.
    cover : ndarray of float, shape (pixels, pixels)
        Share of each pixel that the surface covers.
    """
    lower, upper = surface_mm.bounds
    size = pixels * _FINER
    scale = size / max(extent_mm, 1.05 * float((upper - lower)[[0, 2]].max()))
    points, faces = _points_on(surface_mm, lattice)
    middle = (lower + upper) / 2
    column = np.clip((size / 2 - (points[:, 0] - middle[0]) * scale).astype(np.int64), 0, size - 1)
    row = np.clip((size / 2 - (points[:, 2] - middle[2]) * scale).astype(np.int64), 0, size - 1)
    # Drawn from back to front: what is drawn last stays.
    order = np.argsort(points[:, 1], kind="stable")
    brightness, cover = np.zeros(size * size), np.zeros(size * size)
    pixel = (row * size + column)[order]
    brightness[pixel] = _lit(surface_mm)[faces[order]]
    cover[pixel] = 1.0
    whole = _reduced(cover, size)
    return _reduced(brightness, size) / np.maximum(whole, 1e-9), whole


def _points_on(surface: Surface, lattice: int) -> tuple[np.ndarray, np.ndarray]:
    """Points spread over all triangles, and the triangle of each."""
    share = [((i + 1 / 3) / lattice, (j + 1 / 3) / lattice) for i in range(lattice) for j in range(lattice - i)]
    u, v = np.array(share).T
    weights = np.stack([1 - u - v, u, v], axis=1)
    points = np.einsum("lw,fwx->flx", weights, surface.corners).reshape(-1, 3)
    return points, np.repeat(np.arange(len(surface.faces)), len(weights))


def _lit(surface: Surface) -> np.ndarray:
    a, b, c = surface.corners.transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    facing = np.maximum(normals @ (_LIGHT / np.linalg.norm(_LIGHT)), 0.0)
    return _AMBIENT + (1 - _AMBIENT) * facing


def _reduced(values: np.ndarray, size: int) -> np.ndarray:
    return values.reshape(size // _FINER, _FINER, size // _FINER, _FINER).mean(axis=(1, 3))
