"""Evaluate similar fields on one grid, each starting from the values of the last.

The fields of two similar codes differ by a small and smooth function. Its values on the coarsest grid, interpolated,
turn the values of one field into estimates for the other, and only the points next to the new surface remain to be
evaluated, in one round instead of one for each halving of the cells.
"""

from __future__ import annotations

import numpy as np

from .sparse_grid import (
    FieldFunction,
    GridValues,
    Search,
    evaluate_near_surface,
    grid_points,
    interpolated,
    interpolation_error,
    search,
    spacing,
)


class NearbyGrids:
    """Evaluates fields that change little from one to the next on one grid, given as in `evaluate_sparse`.

    Marching cubes extracts the same surfaces as from `evaluate_dense`.
    """

    def __init__(self, lower: np.ndarray, upper: np.ndarray, resolution: int, *, largest_cell: float = np.inf) -> None:
        self._lower, self._step = spacing(lower, upper, resolution)
        self._resolution, self._largest_cell = resolution, largest_cell
        self._last: Search | None = None
        self._evaluations_of_search = 0

    def evaluate(self, field: FieldFunction) -> GridValues:
        """Evaluate a field near its surface."""
        found = None if self._last is None else self._from_last(field, self._last)
        if found is None:
            found = search(field, self._lower, self._step, self._resolution, self._largest_cell)
            self._evaluations_of_search = found.evaluations
        # Bounds grow from field to field. The next one is searched for anew once that is as quick.
        self._last = found if found.evaluations <= self._evaluations_of_search else None
        return GridValues.of(found.values[(slice(self._resolution),) * 3], self._lower, self._step, found.evaluations)

    def _from_last(self, field: FieldFunction, last: Search) -> Search | None:
        """Evaluate a field starting from the last one; return None where they have too little in common."""
        coarse = (slice(None, None, last.stride),) * 3
        before = last.values[coarse]
        change = field(grid_points(self._lower, last.stride * self._step, len(before))).reshape(before.shape) - before
        added = interpolation_error(change).max()
        while change.shape != last.values.shape:
            change = interpolated(change)
        values, error = last.values + change, last.error + added
        if np.count_nonzero(np.abs(values) <= error) > self._evaluations_of_search:
            return None
        known = np.zeros(values.shape, dtype=bool)
        known[coarse] = True
        error, evaluations = evaluate_near_surface(
            lambda index: field(self._lower + index * self._step), values, known, error
        )
        return Search(values, error, last.stride, before.size + evaluations)
