"""How far one surface lies from another, point by point: what a colour map shows and a line sums up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sampling import signed_distance
from .surface import Surface


@dataclass(frozen=True)
class DistanceMap:
    """Distances of a surface's vertices to a reference surface, in mm.

    Attributes
    ----------
    values_mm : ndarray, shape (V,)
        Signed distance of each vertex: positive outside the reference, negative inside.
    mean_mm, p95_mm, largest_mm : float
        Mean, 95th percentile and largest absolute distance, each vertex weighted by the area around it.
    bias_mm : float
        Mean signed distance: positive where the surface is larger.
    """

    values_mm: np.ndarray
    mean_mm: float
    p95_mm: float
    largest_mm: float
    bias_mm: float


def distance_map(surface: Surface, reference: Surface) -> DistanceMap:
    """Measure how far a surface lies from a closed reference, both in the same frame in mm."""
    values = signed_distance(reference, surface.vertices)
    weight = _vertex_areas(surface)
    weight = weight / weight.sum()
    away = np.abs(values)
    order = np.argsort(away)
    p95 = away[order][np.searchsorted(np.cumsum(weight[order]), 0.95)]
    return DistanceMap(
        values_mm=values,
        mean_mm=float(weight @ away),
        p95_mm=float(p95),
        largest_mm=float(away.max()),
        bias_mm=float(weight @ values),
    )


def _vertex_areas(surface: Surface) -> np.ndarray:
    areas = np.linalg.norm(surface.facing, axis=1) / 6.0
    return np.bincount(surface.faces.ravel(), np.repeat(areas, 3), minlength=len(surface.vertices))
