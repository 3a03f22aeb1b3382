"""Distances of a surface to a reference surface, vertex by vertex and as summary measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sampling import signed_distance
from .surface import Surface


@dataclass(frozen=True)
class DistanceMap:
    """Signed distances (V,) of a surface's vertices to a reference surface in mm, positive outside, and their summary.

    Each vertex is weighted by the area around it. `mean_mm`, `p95_mm` and `largest_mm` are those of the absolute
    distances; `bias_mm` is the mean signed distance, positive where the surface is larger.
    """

    values_mm: np.ndarray
    mean_mm: float
    p95_mm: float
    largest_mm: float
    bias_mm: float


def compute_distance_map(surface: Surface, reference: Surface) -> DistanceMap:
    """Compute the distances of a surface to a closed reference, both in the same frame in mm."""
    signed = signed_distance(reference, surface.vertices)
    weight = _vertex_areas(surface)
    weight = weight / weight.sum()
    distance = np.abs(signed)
    order = np.argsort(distance)
    p95 = distance[order][np.searchsorted(np.cumsum(weight[order]), 0.95)]
    return DistanceMap(
        values_mm=signed,
        mean_mm=float(weight @ distance),
        p95_mm=float(p95),
        largest_mm=float(distance.max()),
        bias_mm=float(weight @ signed),
    )


def _vertex_areas(surface: Surface) -> np.ndarray:
    """Return a third of the area of the triangles around each vertex, shape (V,)."""
    areas = np.linalg.norm(surface.scaled_normals, axis=1) / 6.0
    return np.bincount(surface.faces.ravel(), np.repeat(areas, 3), minlength=len(surface.vertices))
