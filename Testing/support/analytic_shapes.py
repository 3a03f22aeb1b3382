"""Surfaces whose features are known from school geometry."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.geometry.surface import Surface


def ellipsoid(semi_axes=(10.0, 10.0, 10.0), centre=(0.0, 0.0, 0.0), *, subdivisions: int = 5) -> Surface:
    """Return an ellipsoid whose vertices lie exactly on it, some of them in the planes through its centre."""
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions, 1.0)
    return Surface(sphere.vertices * semi_axes + centre, sphere.faces)


def box(size=(10.0, 10.0, 10.0), centre=(0.0, 0.0, 0.0)) -> Surface:
    """Return a box of twelve triangles."""
    import trimesh

    cuboid = trimesh.creation.box(size)
    return Surface(cuboid.vertices + np.asarray(centre), cuboid.faces)


def together(*surfaces: Surface) -> Surface:
    """Return several surfaces as one."""
    return Surface.joined(surfaces)


def inside_out(surface: Surface) -> Surface:
    """Return the surface of a cavity."""
    return Surface(surface.vertices, surface.faces[:, ::-1])


def winding_inside(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Return which points (n, 3) lie inside, by the solid angle of the surface around each."""
    inside = np.empty(len(points), dtype=bool)
    for start in range(0, len(points), 100):
        part = points[start : start + 100, None]
        a, b, c = (surface.corners[None, :, corner] - part for corner in range(3))
        la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
        volume = np.einsum("ijk,ijk->ij", a, np.cross(b, c))
        spread = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
        inside[start : start + 100] = np.arctan2(volume, spread).sum(axis=1) > np.pi
    return inside


def shifted(surface: Surface, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Surface:
    """Return the surface moved by some millimetres."""
    return surface.moved(surface.vertices + np.array([x, y, z]))


def roughness_degrees(surface: Surface) -> float:
    """Return the mean angle between the normals of triangles that share an edge of a closed surface."""
    normals = surface.scaled_normals
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    edges = np.sort(surface.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    face = np.repeat(np.arange(len(surface.faces)), 3)[np.lexsort(edges.T)]
    cosine = np.sum(normals[face[::2]] * normals[face[1::2]], axis=1)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())
