"""Surfaces as point samples, for the many distances between whole populations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.sampling import sample_surface
from ThyroidSynthLib.geometry.surface import Surface

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

DISTANCE_FROM, DISTANCE_TO = 1000, 4000
# Shapes are ranked by a few points; only the first candidates are measured with all of them.
_RANK_POINTS, _CANDIDATES = 100, 8


@dataclass(frozen=True)
class ShapePoints:
    """Points sampled uniformly over the area of a surface, in `trachea_mm`, as float32."""

    few: np.ndarray  # (DISTANCE_FROM, 3), from which distances are measured
    many: np.ndarray  # (DISTANCE_TO, 3), to which they are measured; as dense as the vertices of a 64³ surface

    @classmethod
    def of(cls, surface: Surface, *, seed: int = 0) -> ShapePoints:
        """Sample the points of a surface."""
        drawn = sample_surface(surface, DISTANCE_FROM + DISTANCE_TO, np.random.default_rng(seed)).astype(np.float32)
        return cls(drawn[:DISTANCE_FROM], drawn[DISTANCE_FROM:])

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree of `many`."""
        from scipy.spatial import cKDTree

        return cKDTree(self.many)


def shape_distance(first: ShapePoints, second: ShapePoints) -> float:
    """Return the Chamfer distance of two shapes in mm: the sum of both directions' mean distances to the nearest point.

    Like the authors' distance between vertices it does not reach 0: two samples of one gland are about 1.2 mm apart.
    """
    return float(second.tree.query(first.few)[0].mean() + first.tree.query(second.few)[0].mean())


def nearest_shape(shape: ShapePoints, others: Sequence[ShapePoints]) -> tuple[float, int]:
    """Return the distance in mm of a shape to the nearest of others, and its index among them."""
    start = shape.few[:_RANK_POINTS]
    rank = [
        other.tree.query(start)[0].mean() + shape.tree.query(other.few[:_RANK_POINTS])[0].mean() for other in others
    ]
    candidates = np.argsort(rank, kind="stable")[:_CANDIDATES]
    return min((shape_distance(shape, others[index]), int(index)) for index in candidates)


def distances(first: Sequence[ShapePoints], second: Sequence[ShapePoints]) -> np.ndarray:
    """Return all distances (n, m) in mm between two populations; within one population the diagonal is infinite."""
    if first is not second:
        return np.array([[shape_distance(a, b) for b in second] for a in first]).reshape(len(first), len(second))
    result = np.full((len(first), len(first)), np.inf)
    for row, shape in enumerate(first):
        for column in range(row):
            result[row, column] = result[column, row] = shape_distance(shape, first[column])
    return result
