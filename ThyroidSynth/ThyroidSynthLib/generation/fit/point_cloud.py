"""The inside of a gland of which only points on its surface are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

# Points are thinned to one per voxel of this size, so that dense regions have no larger weight.
_THINNING_MM = 1.0
# Voxels in which the points are closed to a shell, in distances between neighbouring points, and their limits.
_VOXEL_PER_DISTANCE, _SMALLEST_MM, _LARGEST_MM = 1.2, 1.0, 4.0
# The points enclose the gland if at least this share of them lies at its inside, within so many voxels.
_ENCLOSED_SHARE, _NEAR_VOXELS = 0.9, 3
# Least distance from the convex hull of the points of what is known to be outside.
_HULL_MARGIN_MM = 2.0
_MARGIN_VOXELS = 4


@dataclass(frozen=True)
class PointCloud:
    """Points on the surface of a gland, and what follows from them about its inside.

    Attributes
    ----------
    points_mm : ndarray, shape (n, 3)
        The points in `trachea_mm`, thinned.
    inside : Volume
        Voxels that are 1 inside the shell of the points, 0 where nothing is known, and 2 outside of it.
    surface : Surface or None
        A surface through the points, to a voxel; None if they do not enclose the gland.
    """

    points_mm: np.ndarray
    inside: Volume
    surface: Surface | None

    @classmethod
    def of(cls, points_mm: np.ndarray) -> PointCloud:
        """Close the points (n, 3) in `trachea_mm` to a shell, and find what it encloses."""
        from scipy import ndimage
        from scipy.spatial import cKDTree

        points = points_mm[_first_of_each(np.floor(points_mm / _THINNING_MM).astype(np.int64))]
        distance = np.median(cKDTree(points).query(points, k=2)[0][:, 1])
        edge = float(np.clip(_VOXEL_PER_DISTANCE * distance, _SMALLEST_MM, _LARGEST_MM))
        lower = points.min(axis=0) - _MARGIN_VOXELS * edge
        ijk = np.floor((points - lower) / edge).astype(int)
        shape = ijk.max(axis=0) + _MARGIN_VOXELS + 1
        shell = np.zeros(shape[::-1], dtype=bool)
        shell[tuple(ijk[:, ::-1].T)] = True
        block = np.ones((3, 3, 3), dtype=bool)
        shell = ndimage.binary_dilation(shell, block)
        filled = ndimage.binary_fill_holes(shell)
        enclosed = filled & ~shell
        near = ndimage.binary_dilation(enclosed, block, _NEAR_VOXELS)
        ijk_to_ras = np.diag([edge, edge, edge, 1.0])
        ijk_to_ras[:3, 3] = lower + edge / 2
        whole = near[tuple(ijk[:, ::-1].T)].mean() >= _ENCLOSED_SHARE
        known = enclosed.astype(np.uint8)
        if whole:
            known[~filled] = 2
        # The shell reaches a voxel beyond the points.
        body = Volume(ndimage.binary_erosion(filled, block).astype(np.uint8), ijk_to_ras)
        return cls(points, Volume(known, ijk_to_ras), surface_from_mask(body) if whole else None)

    def sides(self, frame: Frame, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw points (m, 3) of which the side is known, and their sides (m,): -1 inside and 1 outside.

        At most `count` are inside, and as many outside around the gland and in the box of a frame.
        """
        from scipy.spatial import ConvexHull

        found, sides = [], []
        for value, side in ((1, -1.0), (2, 1.0)):
            voxels = np.argwhere(self.inside.array == value)
            voxels = voxels[rng.permutation(len(voxels))[:count]]
            found.append(self.inside.to_ras(voxels[:, ::-1]))
            sides.append(np.full(len(voxels), side))
        box = frame.lower_mm + rng.random((count, 3)) * (frame.upper_mm - frame.lower_mm)
        planes = ConvexHull(self.points_mm).equations
        beyond = (box @ planes[:, :3].T + planes[:, 3]).max(axis=1) > _HULL_MARGIN_MM
        found.append(box[beyond])
        sides.append(np.ones(beyond.sum()))
        return np.concatenate(found), np.concatenate(sides)


def _first_of_each(cells: np.ndarray) -> np.ndarray:
    """Return the index of the first point in each cell (n, 3)."""
    return np.unique(cells, axis=0, return_index=True)[1]
