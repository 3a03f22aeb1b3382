"""Evaluating a field on a fine grid only where its surface is.

A grid of 64³ points has a quarter of a million, the surface runs between some ten thousand of them.
The field is evaluated on every eighth point, then on every fourth, second and single one, each time
only in the cells that may hold the surface. Elsewhere the interpolated values stand in: their sign
is right, and marching cubes uses nothing else of them.

Which cells may hold the surface is decided by a bound on how far the field strays from the
interpolation between the coarser points. It follows from the largest stray seen in the neighbouring
cells. Where the surface is seen already, and the strays fell from one level to the next, as they do to a
quarter where the field is smooth, they are expected to fall again. Elsewhere there may be a fold in
which they stay. Before anything was seen the bound is what the steepest slope allows. Each level checks
the bound against the strays it meets, and where it was too small goes on with a larger one until none
is. A bound for each place keeps a fold of the field from costing evaluations elsewhere. It must be
checked in every cell that may hold surface, not only in those seen to: a tip or thin sheet between the
coarse points shows in its stray before it shows in a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FieldFunction = Callable[[np.ndarray], np.ndarray]

_COARSEST_STRIDE = 8
_SAFETY = 1.5
# Halving the cells quarters the stray where the field is smooth. At the fold in the middle of a thin
# sheet it may stay what it was until the points meet the fold.
_SMOOTH_SHARE = 0.35
_FOLD_SHARE = 1.125
# Points, in a cube around each, whose strays bound its own.
_NEIGHBOURHOOD = 3


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
    lower, step = _spacing(lower, upper, resolution)
    index = np.indices((resolution,) * 3).reshape(3, -1).T
    values = field(lower + index * step).reshape((resolution,) * 3)
    return GridValues(values, lower, step, values.size)


def evaluate_sparse(field: FieldFunction, lower: np.ndarray, upper: np.ndarray, resolution: int) -> GridValues:
    """Evaluate a field where its zero level runs through a grid of `resolution`³ points.

    Marching cubes gives the same surface from the result as from `evaluate_dense`.
    """
    lower, step = _spacing(lower, upper, resolution)
    cells = -(-(resolution - 1) // _COARSEST_STRIDE)
    stride = _COARSEST_STRIDE
    index = np.indices((cells + 1,) * 3).reshape(3, -1).T
    values = field(lower + index * (stride * step)).reshape((cells + 1,) * 3)
    evaluations = values.size
    steepest = _SAFETY * _steepest_slope(values, stride * step) * float(np.linalg.norm(stride * step)) / 2
    strayed = np.full(values.shape, steepest, dtype=np.float32)
    bound = np.full((2 * cells + 1,) * 3, steepest, dtype=np.float32)
    while stride > 1:
        stride //= 2
        values, nearby, evaluated = _refine(field, values, lower, stride * step, bound)
        evaluations += evaluated
        if stride > 1:
            fallen = _SAFETY * nearby / np.maximum(_repeated(strayed), 1e-12)
            seen = corners_of_crossed_cells(values, values)
            share = np.where(seen, np.clip(fallen, _SMOOTH_SHARE, _FOLD_SHARE), _FOLD_SHARE)
            bound, strayed = _repeated(share * nearby), nearby
    return GridValues(values[(slice(resolution),) * 3], lower, step, evaluations)


def settle_near_surface(
    exact: FieldFunction, values: np.ndarray, known: np.ndarray, bound: np.ndarray
) -> tuple[np.ndarray, int]:
    """Replace estimates on a grid by exact values in all cells that may hold the surface.

    Parameters
    ----------
    exact : callable
        Gives the field at grid indices (n, 3), shape (n,).
    values : ndarray of float32, shape (nx, ny, nz)
        Exact values where known, else estimates; changed in place.
    known : ndarray of bool, same shape
        Changed in place.
    bound : ndarray of float32, same shape
        How far the estimates may be off. Where they turn out to be further off the bound is widened.

    Returns
    -------
    nearby : ndarray, same shape
        How far estimates were off at most in the neighbourhood of each point, where that was seen.
    evaluated : int
        Points at which the field was evaluated.
    """
    from scipy.ndimage import maximum_filter

    slack = np.where(known, np.float32(0.0), bound)
    stray = np.zeros_like(values)
    total = 0
    while True:
        wanted = np.argwhere(corners_of_crossed_cells(values - slack, values + slack) & ~known)
        if len(wanted) == 0:
            return maximum_filter(stray, size=_NEIGHBOURHOOD), total
        place = tuple(wanted.T)
        found = exact(wanted)
        stray[place] = np.abs(found - values[place])
        surprised = (stray[place] > slack[place]).any()
        values[place], known[place] = found, True
        total += len(wanted)
        if surprised:  # Cells that were passed over may hold surface after all.
            nearby = maximum_filter(stray, size=_NEIGHBOURHOOD)
            slack = np.where(nearby > slack, _SAFETY * nearby, slack)
        slack[known] = 0.0


def _spacing(lower: np.ndarray, upper: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    lower = np.asarray(lower, dtype=np.float64)
    return lower, (np.asarray(upper, dtype=np.float64) - lower) / (resolution - 1)


def _steepest_slope(values: np.ndarray, step: np.ndarray) -> float:
    """Largest length of the gradient, from the differences along the edges of each cell."""
    squared = sum(np.abs(np.diff(values, axis=axis)).max() ** 2 / step[axis] ** 2 for axis in range(3))
    return float(np.sqrt(squared))


def _refine(
    field: FieldFunction, coarse: np.ndarray, lower: np.ndarray, step: np.ndarray, bound: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Halve the cells: interpolate, then evaluate the points whose cells may hold the surface.

    Parameters
    ----------
    bound : ndarray
        How far the field may stray from the interpolation at the finer grid's points.

    Returns
    -------
    values : ndarray
        The finer grid's values.
    nearby : ndarray
        Largest stray seen in the neighbourhood of each point.
    evaluated : int
        Points at which the field was evaluated.
    """
    values = interpolated(coarse)
    known = np.zeros(values.shape, dtype=bool)
    known[::2, ::2, ::2] = True
    nearby, evaluated = settle_near_surface(lambda index: field(lower + index * step), values, known, bound)
    return values, nearby, evaluated


def corners_of_crossed_cells(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Mark the corners of the cells in which a field between two bounds may change sign."""
    crossing = (_over_cells(lowest, np.minimum) <= 0) & (_over_cells(highest, np.maximum) >= 0)
    near = np.zeros(lowest.shape, dtype=bool)
    for corner in np.ndindex(2, 2, 2):
        near[tuple(slice(c, c + n) for c, n in zip(corner, crossing.shape, strict=True))] |= crossing
    return near


def _over_cells(values: np.ndarray, combine: np.ufunc) -> np.ndarray:
    """Combine the eight corners of every cell."""
    for axis in range(3):
        first = [slice(None)] * 3
        second = [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        values = combine(values[tuple(first)], values[tuple(second)])
    return values


def _repeated(values: np.ndarray) -> np.ndarray:
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
