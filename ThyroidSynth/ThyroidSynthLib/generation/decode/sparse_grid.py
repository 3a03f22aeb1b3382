"""Evaluating a field on a fine grid only where its surface is.

A grid of 64³ points has a quarter of a million, the surface runs between some six thousand of them.
The field is evaluated on a coarse grid, then on one of half the spacing and so on, each time only at the
ends of edges that may cross the surface. Elsewhere the interpolated values stand in: their sign is right,
and marching cubes uses nothing else of them.

Which edges may cross is decided by a bound on how far the field strays from the interpolation between the
coarser points. It follows from the largest stray seen in the neighbouring cells. Where the surface is seen
already, and the strays fell from one level to the next, as they do to a quarter where the field is smooth,
they are expected to fall again. Elsewhere there may be a fold in which they stay. On each level the edges
that cross by the interpolation itself come first; the strays met there bound the rest of their
neighbourhood more closely. Where a bound turns out too small it is widened, until none is. A bound for each
place keeps a fold of the field from costing evaluations elsewhere. It must be checked wherever there may be
surface, not only where it is seen to be: a tip or thin sheet between the coarse points shows in its stray
before it shows in a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.geometry.grid import box_of

FieldFunction = Callable[[np.ndarray], np.ndarray]

# Cells along an axis of the coarsest grid, which is evaluated throughout; in fours, so that what strays from
# every other and every fourth of its points can be seen.
_COARSEST_CELLS = 8
_SAFETY = 1.5
# Halving the cells quarters the stray where the field is smooth. At the fold in the middle of a thin
# sheet it may stay what it was until the points meet the fold.
_SMOOTH_SHARE = 0.35
FOLD_SHARE = 1.125
# How much wider than by the bound the part of a grid is chosen that is refined at all.
_CROP_SHARE = 2.0


@dataclass(frozen=True)
class GridValues:
    """A field on a regular grid.

    Attributes
    ----------
    values : ndarray of float32, shape (nx, ny, nz)
        Signed distances; exact next to the surface, of the right sign elsewhere.
    lower, step : ndarray, shape (3,)
        Position of the first grid point and distance between points, in the field's frame.
    evaluations : int
        Points at which the field was evaluated.
    """

    values: np.ndarray
    lower: np.ndarray
    step: np.ndarray
    evaluations: int

    def to_position(self, index: np.ndarray) -> np.ndarray:
        """Map continuous grid indices (..., 3) to positions in the field's frame."""
        return self.lower + np.asarray(index) * self.step


def evaluate_dense(field: FieldFunction, lower: np.ndarray, upper: np.ndarray, resolution: int) -> GridValues:
    """Evaluate a field on every point of a grid of `resolution`³ points from `lower` to `upper`."""
    lower, step = spacing(lower, upper, resolution)
    index = np.indices((resolution,) * 3).reshape(3, -1).T
    values = field(lower + index * step).reshape((resolution,) * 3)
    return GridValues(values, lower, step, values.size)


def evaluate_sparse(field: FieldFunction, lower: np.ndarray, upper: np.ndarray, resolution: int) -> GridValues:
    """Evaluate a field where its zero level runs through a grid of `resolution`³ points.

    Marching cubes gives the same surface from the result as from `evaluate_dense`. Should the surface leave
    the part of the grid that was expected to hold it, the whole grid is evaluated.
    """
    return search(field, lower, upper, resolution)[0]


@dataclass(frozen=True)
class Found:
    """What the search for a surface has found out of its field.

    Attributes
    ----------
    coarse : ndarray of float32, shape (cells + 1,)³
        The field on the coarsest grid, exactly.
    stride : int
        Steps of the finest grid between the points of the coarsest.
    values : ndarray of float32, shape (nx, ny, nz)
        The field on the part of the finest grid that holds the surface: exact next to it, else estimated.
    first : ndarray of int, shape (3,)
        Index of the part's first point in the whole of that grid.
    unsure : ndarray of float32, shape of `values`
        Bound on the errors of the estimates.
    evaluations : int
        Points at which the field was evaluated.
    """

    coarse: np.ndarray
    stride: int
    values: np.ndarray
    first: np.ndarray
    unsure: np.ndarray
    evaluations: int

    @property
    def cells(self) -> int:
        """Cells along an axis of the finest grid."""
        return self.stride * (len(self.coarse) - 1)

    @property
    def cut(self) -> bool:
        """Whether the inside goes on beyond the part of the grid that was kept."""
        return _cut(self.values, self.first, self.cells)

    def on_grid(self, lower: np.ndarray, step: np.ndarray, resolution: int) -> GridValues:
        """Give the values on the whole grid of `resolution`³ points; what was left out is outside."""
        whole = np.full((resolution,) * 3, max(float(self.values.max()), 1e-6), dtype=np.float32)
        kept = np.minimum(self.values.shape, resolution - self.first)
        there = tuple(slice(a, a + n) for a, n in zip(self.first, kept, strict=True))
        whole[there] = self.values[tuple(slice(n) for n in kept)]
        return GridValues(whole, lower, step, self.evaluations)


def search(
    field: FieldFunction, lower: np.ndarray, upper: np.ndarray, resolution: int
) -> tuple[GridValues, Found | None]:
    """Evaluate as `evaluate_sparse` does, and give beside it what was found out; None where all was evaluated."""
    lower, step = spacing(lower, upper, resolution)
    stride = 1
    while resolution - 1 > _COARSEST_CELLS * stride:
        stride *= 2
    if stride == 1:
        return evaluate_dense(field, lower, upper, resolution), None
    coarsest, cells = stride, 4 * -(-(resolution - 1) // (4 * stride))
    coarse = values = field(coarse_points(lower, stride * step, cells)).reshape((cells + 1,) * 3)
    level = _Level(
        values, np.ones(values.shape, dtype=bool), interpolation_errors(values), np.zeros(3, dtype=np.int64), cells
    )
    strayed, evaluations = repeated(interpolation_errors(values[::2, ::2, ::2])), values.size
    while stride > 1:
        stride //= 2
        settled, level, strayed = level.refined(
            lambda index, distance=stride * step: field(lower + index * distance), strayed
        )
        evaluations += settled.evaluated
        if _cut(level.values, level.first, level.cells):
            dense = evaluate_dense(field, lower, upper, resolution)
            return replace(dense, evaluations=evaluations + dense.evaluations), None
    found = Found(coarse, coarsest, level.values, level.first, settled.unsure, evaluations)
    return found.on_grid(lower, step, resolution), found


@dataclass(frozen=True)
class _Level:
    """One spacing of the grid, of which only the part that may hold the surface is kept.

    Attributes
    ----------
    values : ndarray of float32
        Exact where known, else estimates of the right sign.
    known : ndarray of bool, same shape
    seen : ndarray, same shape
        Largest stray seen in the neighbourhood of each point.
    first : ndarray of int, shape (3,)
        Index of the part's first point in the whole grid of this spacing.
    cells : int
        Cells along an axis of that grid.
    """

    values: np.ndarray
    known: np.ndarray
    seen: np.ndarray
    first: np.ndarray
    cells: int

    def refined(self, exact: FieldFunction, strayed: np.ndarray) -> tuple[Settled, _Level, np.ndarray]:
        """Halve the cells, and evaluate where the surface may be.

        Parameters
        ----------
        exact : callable
            Gives the field at indices (n, 3) of the finer grid.
        strayed : ndarray, shape of `values`
            What `seen` was on the grid of twice the spacing.

        Returns
        -------
        settled : Settled
        level : _Level
        strayed : ndarray
            This level's `seen`, on the points of the next.
        """
        bound = self._bound(strayed)
        part = _not_surely_outside(self.values, bound)
        first = 2 * (self.first + [axis.start for axis in part])
        values = interpolated(self.values[part])
        known = np.zeros(values.shape, dtype=bool)
        known[::2, ::2, ::2] = self.known[part]
        settled = settle_near_surface(lambda index: exact(first + index), values, known, repeated(bound[part]))
        return settled, _Level(values, known, settled.nearby, first, 2 * self.cells), repeated(self.seen[part])

    def _bound(self, strayed: np.ndarray) -> np.ndarray:
        """Bound how far the field strays between these points from their interpolation."""
        fallen = _SAFETY * self.seen / np.maximum(strayed, 1e-12)
        at_surface = ends_of_crossed_edges(self.values <= 0, self.values >= 0)
        return np.where(at_surface, np.clip(fallen, _SMOOTH_SHARE, FOLD_SHARE), FOLD_SHARE) * self.seen


@dataclass(frozen=True)
class Settled:
    """What was seen while estimates were replaced.

    Attributes
    ----------
    stray : ndarray of float32, shape (nx, ny, nz)
        How far estimates were off, where that was seen.
    unsure : ndarray of float32, same shape
        How far the estimates that were left may be off; 0 where the value is exact.
    evaluated : int
        Points at which the field was evaluated.
    """

    interpolation_error: np.ndarray
    unsure: np.ndarray
    evaluated: int

    @property
    def nearby(self) -> np.ndarray:
        """How far they were off at most in the neighbourhood of each point."""
        return _largest_nearby(self.interpolation_error)


def settle_near_surface(
    exact: FieldFunction,
    values: np.ndarray,
    known: np.ndarray,
    bound: np.ndarray,
    least: np.ndarray | float = 0.0,
) -> Settled:
    """Replace estimates on a grid by exact values at all ends of edges that may cross the surface.

    Parameters
    ----------
    exact : callable
        Gives the field at grid indices (n, 3), shape (n,).
    values : ndarray of float32, shape (nx, ny, nz)
        Exact values where known, else estimates; changed in place.
    known : ndarray of bool, same shape
        Changed in place.
    bound : ndarray of float32, same shape
        How far the estimates may be off where nothing is seen. Where they turn out to be further off the
        bound is widened.
    least : ndarray of float32, same shape, or float
        How far they may be off also where those nearby are seen to be right.
    """
    interpolation_error = np.zeros_like(values)
    total = 0

    def evaluate(wanted: np.ndarray) -> tuple[np.ndarray, ...]:
        nonlocal total
        place = np.unravel_index(wanted, values.shape)
        found = exact(np.stack(place, axis=1))
        interpolation_error[place] = np.abs(found - values[place])
        values[place], known[place] = found, True
        total += len(wanted)
        return place

    # First what crosses by the estimates: how far they are off there bounds the others better.
    evaluate(np.flatnonzero(ends_of_crossed_edges(values <= 0, values >= 0) & ~known))
    nearby = _largest_nearby(interpolation_error)
    slack = np.where(nearby > 0, np.clip(_SAFETY * nearby, least, bound), bound)
    while True:
        slack[known] = 0.0
        wanted = np.flatnonzero(ends_of_crossed_edges(values <= slack, values >= -slack) & ~known)
        if len(wanted) == 0:
            return Settled(interpolation_error, slack, total)
        place = evaluate(wanted)
        if (interpolation_error[place] > slack[place]).any():  # Edges that were passed over may cross after all.
            nearby = _largest_nearby(interpolation_error)
            slack = np.where(nearby > slack, _SAFETY * nearby, slack)


def ends_of_crossed_edges(maybe_inside: np.ndarray, maybe_outside: np.ndarray) -> np.ndarray:
    """Mark the ends of the grid's edges of which one end may be inside and one outside.

    A cell whose corners may lie on both sides has such an edge, so nothing is missed by asking for
    edges only. Marching cubes looks at no other values: in the cases that are ambiguous by their signs
    every corner of the cell is such an end.
    """
    ends = np.zeros(maybe_inside.shape, dtype=bool)
    for axis in range(3):
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(first), tuple(second)
        crossing = (maybe_inside[a] | maybe_inside[b]) & (maybe_outside[a] | maybe_outside[b])
        ends[a] |= crossing
        ends[b] |= crossing
    return ends


def spacing(lower: np.ndarray, upper: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Give a grid's first point and the distance between its points."""
    lower = np.asarray(lower, dtype=np.float64)
    return lower, (np.asarray(upper, dtype=np.float64) - lower) / (resolution - 1)


def coarse_points(lower: np.ndarray, step: np.ndarray, cells: int) -> np.ndarray:
    """Give the points of a grid of `cells`³ cells in the field's frame, shape ((cells + 1)³, 3)."""
    return lower + np.indices((cells + 1,) * 3).reshape(3, -1).T * step


def _cut(values: np.ndarray, first: np.ndarray, cells: int) -> bool:
    """Say whether the inside goes on beyond a part of a grid that has `cells` cells along each axis."""
    last = first + values.shape - 1
    for axis in range(3):
        faces = np.moveaxis(values, axis, 0)
        if (first[axis] > 0 and (faces[0] <= 0).any()) or (last[axis] < cells and (faces[-1] <= 0).any()):
            return True
    return False


def interpolation_errors(values: np.ndarray) -> np.ndarray:
    """Say how far a known grid strays nearby from what every other of its points foretells."""
    return _largest_nearby(np.abs(values - interpolated(values[::2, ::2, ::2])))


def _largest_nearby(values: np.ndarray) -> np.ndarray:
    """Give the largest value of each point's neighbourhood: the point itself and the 26 around it."""
    for axis in range(3):
        largest = np.moveaxis(values.copy(), axis, 0)
        along = np.moveaxis(values, axis, 0)
        np.maximum(largest[1:], along[:-1], out=largest[1:])
        np.maximum(largest[:-1], along[1:], out=largest[:-1])
        values = np.moveaxis(largest, 0, axis)
    return values


def _not_surely_outside(values: np.ndarray, bound: np.ndarray) -> tuple[slice, slice, slice]:
    """Choose the part of a grid that holds the inside with certainty, and a cell around it."""
    inside = values <= _CROP_SHARE * bound
    return box_of(inside, margin=1) if inside.any() else (slice(0, 2),) * 3


def repeated(values: np.ndarray) -> np.ndarray:
    """Give each point's value also to the point that halving the cells puts behind it along each axis."""
    for axis in range(3):
        values = np.repeat(values, 2, axis=axis)
    return values[:-1, :-1, :-1]


def interpolated(coarse: np.ndarray) -> np.ndarray:
    """Insert the means between neighbouring points along each axis."""
    for axis in range(3):
        size = list(coarse.shape)
        size[axis] = 2 * size[axis] - 1
        finer = np.empty(size, dtype=coarse.dtype)
        even, odd = [slice(None)] * 3, [slice(None)] * 3
        even[axis], odd[axis] = slice(None, None, 2), slice(1, None, 2)
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        finer[tuple(even)] = coarse
        finer[tuple(odd)] = (coarse[tuple(first)] + coarse[tuple(second)]) / 2
        coarse = finer
    return coarse
