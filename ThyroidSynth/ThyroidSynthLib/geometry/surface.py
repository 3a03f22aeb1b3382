"""Triangle surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True)
class Surface:
    """A triangle surface; faces are counter-clockwise seen from outside.

    Attributes
    ----------
    vertices : ndarray of float64, shape (V, 3)
        In a frame that is named where a surface is passed.
    faces : ndarray of int64, shape (F, 3)
        Vertex indices.
    """

    vertices: np.ndarray
    faces: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", np.asarray(self.vertices, dtype=np.float64).reshape(-1, 3))
        object.__setattr__(self, "faces", np.asarray(self.faces, dtype=np.int64).reshape(-1, 3))

    @classmethod
    def joined(cls, surfaces: Sequence[Surface]) -> Surface:
        """Return several surfaces as one, whose components they are."""
        first = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
        faces = [surface.faces + start for surface, start in zip(surfaces, first, strict=True)]
        return cls(np.concatenate([surface.vertices for surface in surfaces]), np.concatenate(faces))

    @property
    def corners(self) -> np.ndarray:
        """Positions of each triangle's three corners, shape (F, 3, 3)."""
        return self.vertices[self.faces]

    @property
    def scaled_normals(self) -> np.ndarray:
        """Outward normals of the triangles, as long as twice their area, shape (F, 3)."""
        # A row for each coordinate: np.cross on the corners takes four times as long.
        coordinates = np.ascontiguousarray(self.vertices.T)
        corners = np.take(coordinates, self.faces.T.ravel(), axis=1).reshape(3, 3, -1)
        ux, uy, uz = corners[:, 1] - corners[:, 0]
        vx, vy, vz = corners[:, 2] - corners[:, 0]
        return np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], axis=1)

    @property
    def volume(self) -> float:
        """Enclosed volume in cubed units of the vertices, by the divergence theorem."""
        return float(np.einsum("ij,ij->", self.vertices[self.faces[:, 0]], self.scaled_normals)) / 6.0

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner of the bounding box, each of shape (3,)."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    def moved(self, vertices: np.ndarray) -> Surface:
        """Return the same triangles with other vertex positions (V, 3)."""
        return Surface(vertices, self.faces)

    def is_closed(self) -> bool:
        """Check whether every edge borders exactly two triangles with the same outside."""
        forward = self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        if len(forward) == 0:
            return False
        count = len(self.vertices)
        edges = np.sort(forward[:, 0] * count + forward[:, 1])
        opposite = np.sort(forward[:, 1] * count + forward[:, 0])
        return bool((np.diff(edges) > 0).all() and np.array_equal(edges, opposite))

    def components(self) -> np.ndarray:
        """Return the number of the connected component of each face, shape (F,), counted from 0."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        count = len(self.vertices)
        start, end = self.faces[:, [0, 1, 1, 2]].reshape(-1, 2).T
        graph = coo_matrix((np.ones(len(start)), (start, end)), shape=(count, count))
        _, label = connected_components(graph, connection="weak")
        return np.unique(label[self.faces[:, 0]], return_inverse=True)[1]

    def of_faces(self, chosen: np.ndarray) -> Surface:
        """Return the surface of some faces, by a mask or by indices, without the vertices of the others."""
        used, faces = np.unique(self.faces[chosen], return_inverse=True)
        return Surface(self.vertices[used], faces.reshape(-1, 3))

    def to_trimesh(self) -> trimesh.Trimesh:
        """Return the surface as a trimesh mesh with the same vertices and faces, in the same frame."""
        import trimesh

        return trimesh.Trimesh(self.vertices, self.faces, process=False)
