"""Triangle surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
