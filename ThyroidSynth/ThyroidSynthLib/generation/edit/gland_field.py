"""Represent a patient's gland by a field to which changes of a model's SDF can be added.

The gland's surface is smooth, without steps of voxels, but no voxel centre is on its other side. The field is the
signed distance to that surface on the voxel grid of the segmentation. Next to the surface, a correction turns it into
the field from which the surface was extracted, so marching cubes returns exactly that surface. That field alone is not
enough: it is rough at a distance of a voxel from the surface, and edits would create islands there. The correction
therefore decreases where an edit moves the surface, and the smooth distance remains.

Lengths are in voxels, so that the grid is isotropic for any spacing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.generation.decode.sparse_grid import crossed_edges
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import sdf_of_mask, smoothed_sdf, surface_from_sdf
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.volume import Volume

# Margin of the grid around the gland, which limits its growth.
_MARGIN_MM = 14.0
STRIDE = 4
"""Distance in voxels between the coarse points of `PatientShapes`."""
# Within so many voxels of the surface the distance to the triangles is computed; beyond, that to their vertices.
_NEAR_VOXELS = 4
# Scale in voxels of the Gaussian by which the correction decreases with the change of the field.
_CORRECTION_SCALE = 0.5


@dataclass(frozen=True)
class GlandField:
    """The field of a gland on the voxel grid around it, negative inside.

    Attributes
    ----------
    distance : ndarray of float32, shape (n0, n1, n2)
        Signed distance to the surface in voxels, in the axis order of `Volume.array`; each side has a
        multiple of `STRIDE` cells.
    correction : ndarray of float32, same shape
        Added to `distance` it makes a field whose zero level is exactly the gland's surface.
    grid : Grid
        The grid in `trachea_mm`.
    first : ndarray of int, shape (3,)
        Index of the grid's first point in the segmentation's array; may be negative.
    """

    distance: np.ndarray
    correction: np.ndarray
    grid: Grid
    first: np.ndarray

    @classmethod
    def of_mask(cls, mask: Volume, placement: Placement) -> GlandField:
        """Return the field of a binary mask in `ras_mm`; `ValueError` if the mask is empty."""
        near = sdf_of_mask(mask)
        pad = np.ceil(_MARGIN_MM / near.spacing_mm[::-1]).astype(int)
        after = pad + (-(np.array(near.array.shape) + 2 * pad - 1)) % STRIDE
        values = np.pad(near.array, np.stack([pad, after], axis=1), mode="edge").astype(np.float32)
        values = smoothed_sdf(_signed_distance(values), surface_from_sdf(values).volume)
        grid_ras = near.grid.part(-pad, values.shape)
        grid = Grid(grid_ras.shape, np.linalg.inv(placement.trachea_to_ras) @ grid_ras.ijk_to_ras)
        first = np.rint(mask.to_ijk(grid_ras.to_ras(np.zeros(3)))[::-1]).astype(int)
        distance = _signed_distance(values)
        ends = crossed_edges(values < 0, values >= 0)
        # The smoothed field may be steeper than a distance; scaling does not change its surface.
        scale = np.abs(distance[ends]).sum() / np.abs(values[ends]).sum()
        correction = np.where(ends, scale * values - distance, np.float32(0))
        return cls(distance, correction, grid, first)

    @property
    def values(self) -> np.ndarray:
        """The field whose zero level is exactly the gland's surface."""
        return self.distance + self.correction

    def changed(self, change: np.ndarray, place: tuple[np.ndarray, ...] | None = None) -> np.ndarray:
        """Return the field after adding a change in voxels, on the whole grid or at some array indices."""
        where = ... if place is None else place
        remaining = np.exp(-((change / _CORRECTION_SCALE) ** 2))
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
        """Return the number of voxels by which a unit of distance in the `unit` frame moves the surface, on the grid.

        It depends on the direction of the surface, since grid and `unit` frame are scaled differently along their
        axes. With A the map from indices to the `unit` frame of scale `scale_mm` (3,), the unit normal n of a plane in
        voxels becomes A⁻ᵀ n, whose length is the ratio of the two distances.
        """
        from scipy.ndimage import gaussian_filter

        gradient = np.stack(np.gradient(gaussian_filter(self.distance, 1.0)), axis=-1)
        normal = gradient / np.maximum(np.linalg.norm(gradient, axis=-1, keepdims=True), 1e-6)
        to_unit = self.matrix / scale_mm[:, None]
        return np.linalg.norm(normal @ np.linalg.inv(to_unit), axis=-1).astype(np.float32)


def _signed_distance(values: np.ndarray) -> np.ndarray:
    """Return the distance of each grid point to the zero level of a field, with the sign of the field."""
    from scipy.ndimage import binary_dilation
    from scipy.spatial import cKDTree

    surface = surface_from_sdf(values)
    near = binary_dilation(crossed_edges(values < 0, values >= 0), iterations=_NEAR_VOXELS)
    distance = np.empty(values.shape, dtype=np.float32)
    distance[near] = signed_distance(surface, np.argwhere(near))
    distance[~near] = cKDTree(surface.vertices).query(np.argwhere(~near))[0]
    return np.where(values < 0, -np.abs(distance), np.abs(distance))
