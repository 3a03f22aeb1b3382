"""Evaluating fields on a grid one after another, each from what was found out of one that is much like it.

Two codes that lie near each other have fields whose *difference* is small and smooth. So the values that were
found for one code, and the difference on the coarsest grid, foretell the values for the other so closely that
little more than the points next to its surface is left to evaluate, all in one go. The bounds are those of a
search from nothing: what the difference strays on the coarse grid, what was unsure before, and wider wherever
more is met. Where the surface leaves the part of the grid that was searched, or so much would have to be
evaluated that nothing is won, the search begins anew.
"""

from __future__ import annotations

import numpy as np

from .sparse_grid import (
    FOLD_SHARE,
    FieldFunction,
    Found,
    GridValues,
    coarse_points,
    interpolated,
    interpolation_errors,
    repeated,
    search,
    settle_near_surface,
    spacing,
)

# Where more than this share of a whole search's points was evaluated, the next one is a whole search; at as
# many points it is still the slower of the two, as it takes several times the rounds.
_WORTHWHILE = 1.0
# Share of its distance to the surface that no point beyond the searched part may lose.
_MOST_LOST = 0.5


class NearbyGrids:
    """Evaluates fields that change little from one to the next, always on one grid.

    Marching cubes gives the same surfaces as from `evaluate_dense`.

    Parameters
    ----------
    lower, upper : ndarray, shape (3,)
        Corners of the grid, in the fields' frame.
    resolution : int
        It has `resolution`³ points.
    """

    def __init__(self, lower: np.ndarray, upper: np.ndarray, resolution: int) -> None:
        self._lower, self._upper, self._resolution = lower, upper, resolution
        self._found: Found | None = None
        self._whole_search = 0

    def evaluate(self, field: FieldFunction) -> GridValues:
        """Evaluate a field where its zero level runs."""
        spent = 0
        if self._found is not None:
            near, spent = self._near(field, self._found)
            if near is not None:
                return near
        grid, self._found = search(field, self._lower, self._upper, self._resolution)
        self._whole_search = grid.evaluations
        return GridValues(grid.values, grid.lower, grid.step, grid.evaluations + spent)

    def _near(self, field: FieldFunction, before: Found) -> tuple[GridValues | None, int]:
        """Evaluate a field that is like one before; gives None where it is not, and the points it took."""
        lower, step = spacing(self._lower, self._upper, self._resolution)
        stride, coarse = before.stride, before.coarse
        cells = len(coarse) - 1
        now = field(coarse_points(lower, stride * step, cells)).reshape(coarse.shape)
        held = _on_coarse(before)
        beyond = np.ones(coarse.shape, dtype=bool)
        beyond[tuple(slice(a, b) for a, b in held)] = False
        if (now[beyond] <= _MOST_LOST * coarse[beyond]).any():
            return None, now.size
        change = now - coarse
        values = before.values + _refined(change, before, interpolated)
        if Found(now, stride, values, before.first, before.unsure, 0).cut:
            return None, now.size
        bound = before.unsure + FOLD_SHARE * _refined(interpolation_errors(change), before, repeated)
        known = np.zeros(values.shape, dtype=bool)
        starts, ends = (np.array(held).T * stride - before.first).tolist()
        fine = tuple(slice(a, b, stride) for a, b in zip(starts, ends, strict=True))
        values[fine], known[fine] = now[tuple(slice(a, b) for a, b in held)], True
        settled = settle_near_surface(
            lambda index: field(lower + (before.first + index) * step), values, known, bound, before.unsure
        )
        evaluations = now.size + settled.evaluated
        found = Found(now, stride, values, before.first, settled.unsure, evaluations)
        if found.cut:
            return None, evaluations
        self._found = found if evaluations < _WORTHWHILE * self._whole_search else None
        return found.on_grid(lower, step, self._resolution), evaluations


def _on_coarse(found: Found) -> list[tuple[int, int]]:
    """Give the first of the coarse points that lie in the searched part, and the one after the last, by axis."""
    last = found.first + found.values.shape - 1
    return [(-(-int(a) // found.stride), int(b) // found.stride + 1) for a, b in zip(found.first, last, strict=True)]


def _refined(coarse: np.ndarray, found: Found, halve) -> np.ndarray:
    """Bring values on the coarsest grid to the searched part of the finest, by halving the cells."""
    last = found.first + found.values.shape - 1
    start = found.first // found.stride
    end = -(-last // found.stride)
    values, stride = coarse[tuple(slice(a, b + 1) for a, b in zip(start, end, strict=True))], found.stride
    while stride > 1:
        values, stride = halve(values), stride // 2
    shift = found.first - start * found.stride
    return values[tuple(slice(a, a + n) for a, n in zip(shift, found.values.shape, strict=True))]
