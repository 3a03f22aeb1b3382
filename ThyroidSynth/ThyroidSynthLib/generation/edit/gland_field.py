"""A patient's gland as a field that a model's can be added to.

The field lives on the voxels of the patient's segmentation and is the signed distance to the gland's
surface. Next to the surface a correction makes it the level set that the surface comes from, so that
marching cubes gives this very surface back and no voxel centre changes sides. The level set alone would
not do: a voxel away from the surface it is rough, and an edit would grow crumbs there. So the correction
fades where an edit moves the surface away, and the smooth distance remains.

Lengths are in voxels, in which the grid is regular whatever its spacing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import sdf_of_mask, surface_from_sdf
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.volume import Volume

# How far around the gland an edit can go.
_MARGIN_MM = 14.0
# Coarse points lie this many voxels apart, see `PatientShapes`.
STRIDE = 4
# Within so many voxels of the surface the distance is that to the triangles; beyond, to their corners.
_NEAR_VOXELS = 4
# The correction is gone where the field has changed by a few times this, in voxels.
_FADES_OVER = 0.5


@dataclass(frozen=True)
class GlandField:
    """A gland on a grid of its own, negative inside.

    Attributes
    ----------
    distance : ndarray of float32, shape (n0, n1, n2)
        Signed distance to the surface in voxels, in the axis order of `Volume.array`; each side has a
        multiple of `STRIDE` cells.
    correction : ndarray of float32, same shape
        What is to be added to give exactly the gland's surface.
    grid : Grid
        Where the points lie, in `trachea_mm`.
    first : ndarray of int, shape (3,)
        Index, in the segmentation's array, of the grid's first point; may be negative.
    """

    distance: np.ndarray
    correction: np.ndarray
    grid: Grid
    first: np.ndarray

    @classmethod
    def of_mask(cls, mask: Volume, placement: Placement) -> GlandField:
        """Make the field of a binary mask in `ras_mm`.

        Raises
        ------
        ValueError
            The mask is empty.
        """
        near = sdf_of_mask(mask)
        pad = np.ceil(_MARGIN_MM / near.spacing_mm[::-1]).astype(int)
        after = pad + (-(np.array(near.array.shape) + 2 * pad - 1)) % STRIDE
        values = np.pad(near.array, np.stack([pad, after], axis=1), mode="edge").astype(np.float32)
        grid_ras = near.grid.part(-pad, values.shape)
        grid = Grid(grid_ras.shape, np.linalg.inv(placement.trachea_to_ras) @ grid_ras.ijk_to_ras)
        first = np.rint(mask.to_ijk(grid_ras.to_ras(np.zeros(3)))[::-1]).astype(int)
        distance = _signed_distance(values)
        ends = _ends_of_crossed_edges(values)
        # The level set may be steeper than a distance; scaled as a whole it has the same surface.
        scale = np.abs(distance[ends]).sum() / np.abs(values[ends]).sum()
        correction = np.where(ends, scale * values - distance, np.float32(0))
        return cls(distance, correction, grid, first)

    @property
    def values(self) -> np.ndarray:
        """The field whose zero level is exactly the gland's surface."""
        return self.distance + self.correction

    def changed(self, change: np.ndarray, place: tuple[np.ndarray, ...] | None = None) -> np.ndarray:
        """Give the field after a change.

        Parameters
        ----------
        change : ndarray
            What to add, in voxels, everywhere or at `place`.
        place : tuple of ndarray, optional
            Grid indices.
        """
        where = ... if place is None else place
        remaining = np.exp(-((change / _FADES_OVER) ** 2))
        return self.distance[where] + self.correction[where] * remaining + change

    def to_trachea(self, index: np.ndarray) -> np.ndarray:
        """Map array indices (..., 3) to `trachea_mm`."""
        return self.grid.to_ras(np.asarray(index)[..., ::-1])

    def to_index(self, trachea_mm: np.ndarray) -> np.ndarray:
        """Map `trachea_mm` positions (..., 3) to array indices."""
        return self.grid.to_ijk(trachea_mm)[..., ::-1]

    @property
    def matrix(self) -> np.ndarray:
        """Steps in `trachea_mm` along the array's axes, in the columns, shape (3, 3)."""
        return self.grid.ijk_to_ras[:3, 2::-1]

    def voxels_per_unit(self, scale_mm: np.ndarray) -> np.ndarray:
        """Say how many voxels the surface moves for one unit of distance in the `unit` frame.

        That depends on which way the surface faces: both the grid and the `unit` frame are stretched
        differently along their axes. A plane of normal n, in voxels, has the normal A⁻ᵀ n in the `unit`
        frame, A being the map from indices; its length is the ratio of the two distances.

        Parameters
        ----------
        scale_mm : ndarray, shape (3,)
            Of the `unit` frame.

        Returns
        -------
        ndarray of float32, shape of `distance`
        """
        from scipy.ndimage import gaussian_filter

        gradient = np.stack(np.gradient(gaussian_filter(self.distance, 1.0)), axis=-1)
        normal = gradient / np.maximum(np.linalg.norm(gradient, axis=-1, keepdims=True), 1e-6)
        to_unit = self.matrix / scale_mm[:, None]
        return np.linalg.norm(normal @ np.linalg.inv(to_unit), axis=-1).astype(np.float32)


def _signed_distance(values: np.ndarray) -> np.ndarray:
    """Give the distance of each grid point to the zero level of a field, of the field's sign."""
    from scipy.ndimage import binary_dilation
    from scipy.spatial import cKDTree

    surface = surface_from_sdf(values)
    shape = values.shape
    inside = values < 0
    near = binary_dilation(_ends_of_crossed_edges(values), iterations=_NEAR_VOXELS)
    distance = np.empty(shape, dtype=np.float32)
    distance[near] = signed_distance(surface, np.argwhere(near))
    distance[~near] = cKDTree(surface.vertices).query(np.argwhere(~near))[0]
    return np.where(inside, -np.abs(distance), np.abs(distance))


def _ends_of_crossed_edges(values: np.ndarray) -> np.ndarray:
    """Mark the grid points with a neighbour along an axis on the other side of the surface."""
    inside = values < 0
    ends = np.zeros(values.shape, dtype=bool)
    for axis in range(3):
        crossed = np.diff(inside, axis=axis)
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        ends[tuple(first)] |= crossed
        ends[tuple(second)] |= crossed
    return ends
