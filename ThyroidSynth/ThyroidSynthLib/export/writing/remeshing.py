"""Surfaces of nearly equilateral triangles of one size, as solvers need them.

Surfaces of fields have edges down to a ten-thousandth of a mm. The remeshing is gpytoolbox's of Botsch and Kobbelt
(2004): on thyroids it gave closed surfaces with a minimum quality of 0.7 or more, where pyacvd's clustering left one in
twelve open and pymeshlab, with 0.5 or more, takes 280 MB.
"""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.lazy import optional_package
from ThyroidSynthLib.geometry.polydata import vertex_normals
from ThyroidSynthLib.geometry.surface import Surface

LEAST_QUALITY = 0.3
"""Minimum quality of the triangles of a remeshed surface."""

EDGE_LIMITS_MM = (0.1, 50.0)
"""Least and largest edge length."""

REMESHING_PACKAGE = ("gpytoolbox", "A surface of triangles of one size (edge length)")
"""The package that remeshing needs, and for what."""

_MOST_TRIANGLES = 3_000_000
# A chord lies inside a curved surface, so that the volume shrinks; vertices are moved outwards until it is this near.
_SAME_VOLUME = 1e-4
_MOST_MOVES = 5
# The number of rounds, and the edge length as a share of the given one, of the attempts: thin parts need shorter edges.
_ATTEMPTS = ((10, 1.0), (20, 1.0), (10, 0.8), (10, 0.6), (10, 0.4))


def triangle_quality(surface: Surface) -> np.ndarray:
    """Return 4 √3 times the area over the sum of squared edges of each triangle, shape (F,): 1 if it is equilateral."""
    corners = surface.corners
    squares = ((corners - np.roll(corners, 1, axis=1)) ** 2).sum(axis=(1, 2))
    areas = np.linalg.norm(surface.scaled_normals, axis=1) / 2
    return 4 * np.sqrt(3) * areas / np.where(squares > 0, squares, 1.0)


def remeshed(surface: Surface, edge_mm: float, *, name: str = "the surface") -> Surface:
    """Return a closed surface of triangles with edges of about a length, which encloses the same volume within 0.01 %.

    Parameters
    ----------
    surface : Surface
        Closed, in mm.
    edge_mm : float
        Mean length of the edges; shorter where the surface has thin parts that need it.
    name : str
        Of the surface, for messages.

    Raises
    ------
    InputError
        gpytoolbox is not installed.
    OutputError
        The length is impossible, or too large for the thin parts of the surface.
    """
    least, largest = EDGE_LIMITS_MM
    if not least <= edge_mm <= largest:
        raise OutputError(f"An edge length of {edge_mm:g} mm is impossible. Use {least:g} to {largest:g} mm.")
    area = np.linalg.norm(surface.scaled_normals, axis=1).sum() / 2
    if area / (np.sqrt(3) / 4 * edge_mm**2) > _MOST_TRIANGLES:
        raise OutputError(
            f"Edges of {edge_mm:g} mm make more than {_MOST_TRIANGLES:,} triangles of {name}. Choose a larger length."
        )
    gpytoolbox = optional_package(*REMESHING_PACKAGE)
    count = int(surface.components().max()) + 1
    for rounds, share in _ATTEMPTS:
        # It moves the arrays that it is given.
        vertices, faces = gpytoolbox.remesh_botsch(
            surface.vertices.copy(), surface.faces.astype(np.int32), rounds, edge_mm * share, True
        )
        found = Surface(vertices, faces)
        if len(faces) and found.is_closed() and int(found.components().max()) + 1 == count:
            found = _with_volume(found, surface.volume)
            if triangle_quality(found).min() >= LEAST_QUALITY and _is_same(found.volume, surface.volume):
                return found
    raise OutputError(
        f"Edges of {edge_mm:g} mm are too long for the thin parts of {name}. Choose a smaller edge length."
    )


def _with_volume(surface: Surface, volume: float) -> Surface:
    """Return a surface moved along its normals until it encloses a volume."""
    for _ in range(_MOST_MOVES):
        if _is_same(surface.volume, volume):
            break
        area = np.linalg.norm(surface.scaled_normals, axis=1).sum() / 2
        step = (volume - surface.volume) / area
        surface = surface.moved(surface.vertices + step * vertex_normals(surface))
    return surface


def _is_same(volume: float, other: float) -> bool:
    return abs(volume / other - 1) <= _SAME_VOLUME
