"""The signed distance to a gland on a fine grid, with which nodules are placed and the gland's surface is changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.polydata import vertex_normals
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

# Up to this length of edges the plane through the nearest vertex is as good as the surface, and twenty times faster.
_FINE_EDGES_MM = 1.5
_STEPS_TO_SURFACE = 5


@dataclass(frozen=True)
class GlandField:
    """Signed distances in mm to the surface of a gland, negative inside, on a grid in `ras_mm`."""

    distance: Volume

    @classmethod
    def of(cls, gland: Surface, grid: Grid) -> GlandField:
        """Return the field of a closed surface in `ras_mm`; exact near the surface, and within a voxel elsewhere."""
        from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt

        inside = voxelise(gland, grid).array != 0
        sampling = grid.spacing_mm[::-1]
        half = float(sampling.min()) / 2
        values = np.where(
            inside,
            half - distance_transform_edt(inside, sampling=sampling),
            distance_transform_edt(~inside, sampling=sampling) - half,
        )
        band = binary_dilation(inside, iterations=2) & ~binary_erosion(inside, iterations=2)
        points = grid.to_ras(np.argwhere(band)[:, ::-1])
        # The sign stays that of the voxels, so that the field's surface encloses the same ones.
        values[band] = np.where(inside[band], -1, 1) * np.abs(_distances(gland, points))
        return cls(Volume(values.astype(np.float32), grid.ijk_to_ras))

    def at(self, points_ras: np.ndarray) -> np.ndarray:
        """Return the distance at positions (n, 3) by linear interpolation, shape (n,)."""
        from scipy.ndimage import map_coordinates

        kji = self.distance.to_ijk(points_ras)[:, ::-1].T
        return map_coordinates(self.distance.array, kji, order=1, mode="nearest", prefilter=False)

    def outwards(self, point_ras: np.ndarray) -> np.ndarray:
        """Return the unit vector (3,) that leads from a position away from the inside of the gland."""
        step = np.eye(3)
        gradient = self.at(point_ras + step) - self.at(point_ras - step)
        length = np.linalg.norm(gradient)
        return gradient / length if length > 0 else np.array([0.0, 1.0, 0.0])

    def nearest_surface(self, point_ras: np.ndarray) -> np.ndarray:
        """Return a position (3,) on the surface near another, found along the steepest way."""
        for _ in range(_STEPS_TO_SURFACE):
            point_ras = point_ras - self.at(point_ras[None])[0] * self.outwards(point_ras)
        return point_ras


def _distances(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Return signed distances (n,) of positions (n, 3) near a surface."""
    from scipy.spatial import cKDTree

    corners = surface.corners
    if np.median(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1)) > _FINE_EDGES_MM:
        return signed_distance(surface, points)
    _, nearest = cKDTree(surface.vertices).query(points)
    normals = vertex_normals(surface)
    return np.einsum("ij,ij->i", points - surface.vertices[nearest], normals[nearest])
