"""Closed triangle surfaces, and how one is made from a voxel mask without changing the gland's volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .volume import Volume, sitk_from_volume

_MARGIN_VOXELS = 3


@dataclass(frozen=True)
class Surface:
    """A triangle surface; faces are counter-clockwise seen from outside.

    Attributes
    ----------
    vertices : ndarray of float64, shape (V, 3)
        Positions; which frame they are in is said where a surface is passed.
    faces : ndarray of int64, shape (F, 3)
        Vertex indices of each triangle.
    """

    vertices: np.ndarray
    faces: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", np.asarray(self.vertices, dtype=np.float64).reshape(-1, 3))
        object.__setattr__(self, "faces", np.asarray(self.faces, dtype=np.int64).reshape(-1, 3))

    @property
    def corners(self) -> np.ndarray:
        """Positions of each triangle's three corners, shape (F, 3, 3)."""
        return self.vertices[self.faces]

    @property
    def facing(self) -> np.ndarray:
        """Vectors (F, 3) that point out of each triangle and are as long as twice its area."""
        # By coordinate, corner and triangle: np.cross, and corners one after the other, take four times as long.
        coordinates = np.ascontiguousarray(self.vertices.T)
        corners = np.take(coordinates, self.faces.T.ravel(), axis=1).reshape(3, 3, -1)
        ux, uy, uz = corners[:, 1] - corners[:, 0]
        vx, vy, vz = corners[:, 2] - corners[:, 0]
        return np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], axis=1)

    @property
    def volume(self) -> float:
        """Enclosed volume in cubed units of the vertices, by the divergence theorem."""
        return float(np.einsum("ij,ij->", self.vertices[self.faces[:, 0]], self.facing)) / 6.0

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner of the bounding box, each of shape (3,)."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    def moved(self, vertices: np.ndarray) -> Surface:
        """Give the same triangles over other vertex positions."""
        return Surface(vertices, self.faces)

    def is_closed(self) -> bool:
        """Say whether every edge borders exactly two triangles that agree on which side is out."""
        forward = self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        if len(forward) == 0:
            return False
        count = len(self.vertices)
        edges = np.sort(forward[:, 0] * count + forward[:, 1])
        opposite = np.sort(forward[:, 1] * count + forward[:, 0])
        return bool((np.diff(edges) > 0).all() and np.array_equal(edges, opposite))

    def components(self) -> np.ndarray:
        """Number the connected component of each face, shape (F,), from 0."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        count = len(self.vertices)
        start, end = self.faces[:, [0, 1, 1, 2]].reshape(-1, 2).T
        graph = coo_matrix((np.ones(len(start)), (start, end)), shape=(count, count))
        _, label = connected_components(graph, connection="weak")
        return np.unique(label[self.faces[:, 0]], return_inverse=True)[1]


def surface_from_sdf(values: np.ndarray, level: float = 0.0) -> Surface:
    """Extract where a field (n0, n1, n2) crosses `level`, in index coordinates; negative is inside.

    Marching cubes in its topologically consistent form (Lewiner), without degenerate triangles.

    Raises
    ------
    ValueError
        The field does not cross the level.
    """
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(
        np.asarray(values, dtype=np.float32), level, gradient_direction="descent", allow_degenerate=False
    )
    return Surface(vertices, faces)


def surface_within(values: np.ndarray) -> Surface:
    """Extract where a field crosses 0, as `surface_from_level_set`, without looking at the empty space around it.

    Raises
    ------
    ValueError
        The field does not cross 0.
    """
    part = box_of(values <= 0, margin=1)
    surface = surface_from_sdf(values[part])
    return surface.moved(surface.vertices + np.array([axis.start for axis in part]))


def box_of(inside: np.ndarray, *, margin: int = 0) -> tuple[slice, slice, slice]:
    """Give the part of a grid (n0, n1, n2) that holds all of its true points; of an empty one, all of it."""
    occupied = [np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if len(occupied[0]) == 0:
        return tuple(slice(0, size) for size in inside.shape)
    return tuple(slice(max(int(found[0]) - margin, 0), int(found[-1]) + margin + 1) for found in occupied)


def surface_from_mask(mask: Volume) -> Surface:
    """Make the closed surface of a binary mask, in `ras_mm`.

    Parameters
    ----------
    mask : Volume
        Non-zero voxels are the gland. It may touch the scan's border; the surface is closed there.

    Raises
    ------
    ValueError
        The mask is empty.
    """
    return surface_of_volume(sdf_of_mask(mask))


def sdf_of_mask(mask: Volume) -> Volume:
    """Make a smooth level set of a binary mask, negative inside, whose zero level is the gland's surface.

    The mask's staircase is relaxed into a smooth level set that never changes the side a voxel
    centre is on (Whitaker's anti-aliasing), so thin isthmuses and gaps between lobes survive and
    voxelising the surface on the mask's own grid gives the mask back. Plain smoothing shrinks small
    glands by up to a fifth; here a last shift of the level, again too small to move a voxel centre
    across, makes the volume that of the voxels.

    Returns
    -------
    Volume
        Of the mask's voxels around the gland, with a margin; in voxels, roughly, next to the surface
        and constant beyond.

    Raises
    ------
    ValueError
        The mask is empty.
    """
    import SimpleITK

    inside = Volume((mask.array != 0).astype(np.uint8), mask.ijk_to_ras).cropped(margin=_MARGIN_VOXELS)
    occupied = inside.array.astype(bool)
    smooth = -SimpleITK.GetArrayFromImage(SimpleITK.AntiAliasBinary(sitk_from_volume(inside), 0.05, 50))
    staircase = np.where(occupied, -1.0, 1.0)
    for share in (0.0, 0.25, 0.5, 1.0):  # Only glands of a few mL need more than the smooth field.
        values = (1 - share) * smooth + share * staircase
        level, volume = _level_of_volume(values, occupied)
        if abs(volume / occupied.sum() - 1) < 0.005:
            break
    return Volume(values - level, inside.ijk_to_ras)


def surface_of_volume(sdf: Volume) -> Surface:
    """Extract the zero level of a volume that is negative inside, in `ras_mm`."""
    return surface_of_grid_in_space(sdf.array, sdf.ijk_to_ras[:3, 2::-1], sdf.ijk_to_ras[:3, 3])


def surface_of_grid_in_space(values: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> Surface:
    """Extract the zero level of a field (n0, n1, n2) that is negative inside, and place it in space.

    Parameters
    ----------
    matrix, offset : ndarray, shape (3, 3) and (3,)
        Map the array's indices to positions. Where they mirror, the triangles are turned round.

    Raises
    ------
    ValueError
        The field does not cross 0.
    """
    surface = surface_from_sdf(values)
    faces = surface.faces[:, ::-1] if np.linalg.det(matrix) < 0 else surface.faces
    return Surface(surface.vertices @ np.asarray(matrix).T + offset, faces)


def _level_of_volume(values: np.ndarray, occupied: np.ndarray) -> tuple[float, float]:
    """Find, in the room the voxel centres leave, the level that encloses the voxels' volume, and its volume."""
    low, high = 0.98 * values[occupied].max(), 0.98 * values[~occupied].min()
    level = 0.0
    volume = surface_from_sdf(values, level).volume
    for _ in range(7):
        excess = volume / occupied.sum() - 1
        if abs(excess) < 1e-3:
            break
        low, high = (low, level) if excess > 0 else (level, high)
        level = (low + high) / 2
        volume = surface_from_sdf(values, level).volume
    return level, volume
