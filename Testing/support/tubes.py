"""Tubes such as a trachea, as masks and surfaces."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume


def tube_mask(
    *,
    width_mm: float,
    centre: tuple[float, float],
    reach_mm: tuple[float, float],
    tilt: float = 0.0,
    voxel_mm: float = 1.0,
) -> Volume:
    """Return the mask in `ras_mm` of a tube whose axis passes through (x, y, 0).

    Parameters
    ----------
    reach_mm : two floats
        Its lower and upper end.
    tilt : float
        Slope dy/dz of the axis.
    """
    radius = width_mm / 2
    far = radius + abs(tilt) * max(map(abs, reach_mm)) + 3 * voxel_mm
    first = np.array([centre[0] - far, centre[1] - far, reach_mm[0] + voxel_mm / 2])
    x, y = (np.arange(start, start + 2 * far, voxel_mm) for start in first[:2])
    z = np.arange(first[2], reach_mm[1], voxel_mm)
    height, depth, across = np.meshgrid(z, y, x, indexing="ij")
    inside = np.hypot(across - centre[0], depth - centre[1] - tilt * height) < radius
    matrix = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    matrix[:3, 3] = first
    return Volume(inside.astype(np.uint8), matrix)


def tube_surface(*, width_mm: float, centre: tuple[float, float], height_mm: float) -> Surface:
    """Return a vertical tube around (x, y, 0) with closed ends."""
    import trimesh

    cylinder = trimesh.creation.cylinder(radius=width_mm / 2, height=height_mm, sections=180)
    return Surface(np.add(cylinder.vertices, [*centre, 0.0]), cylinder.faces)
