"""Features and targets in relation to the training cohort: how far outside it they are, and in which region of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

_VOLUME, _AREA, _SYMMETRY = range(3)
# Parts of a feature's range in the cohort, divided at its ends and quartiles.
_CLASSES = ("below the cohort's", "low", "medium", "high", "above the cohort's")
_NAMES = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus area", "symmetry": "symmetry"}
_UNITS = {"volume_ml": " mL", "isthmus_area_mm2": " mm²", "symmetry": ""}

# Probability with which an ordinary case is beyond one of the limits. There are up to eight, so that about one ordinary
# case in fifty is beyond any of them (measured on random parts of the example cohort: 2 % for 160 training cases,
# 3 to 6 % for 20 to 40).
_TAIL = 0.002
# The tail of a distribution is a tenth of its values, but not fewer than these; it needs more values than the least.
_IN_TAIL, _LEAST = 5, 3


@dataclass(frozen=True)
class FeatureSpace:
    """The training cohort's features (n, 3) as a reference for features and targets.

    Targets are arrays in the order of `FEATURE_NAMES`, NaN where a feature is free.
    """

    features: np.ndarray

    def scores(self, targets: np.ndarray) -> np.ndarray:
        """Return the out-of-distribution score (m,) of features or targets (m, 3).

        The largest of several distances to the training cohort, each divided by its limit: of every feature from the
        median, to either side; from the mean (Mahalanobis); and from the nearest case. Volumes are compared by their
        logarithm; free features do not count. Up to 1 is ordinary: no training case is beyond a limit, and another
        one of the same population rarely is.
        """
        points = _with_log_volume(targets)
        free = np.isnan(points)
        found = np.zeros(len(points))
        for pattern in np.unique(free, axis=0):
            if not pattern.all():
                rows = (free == pattern).all(axis=1)
                found[rows] = self._reference(tuple(np.flatnonzero(~pattern))).scores(points[rows][:, ~pattern])
        return found

    def far(self, targets: np.ndarray) -> np.ndarray:
        """Return the indices of the targets (m, 3) with a score above 1, highest first."""
        scores = self.scores(targets)
        order = np.argsort(-scores, kind="stable")
        return order[scores[order] > 1]

    def outside(self, targets: np.ndarray) -> list[str]:
        """Return a text for each target (3,) outside the cohort's range, with the range."""
        texts = []
        for column, name in enumerate(FEATURE_NAMES):
            low, high = self.features[:, column].min(), self.features[:, column].max()
            if targets[column] < low or targets[column] > high:
                texts.append(f"{_NAMES[name]} of the cohort: {low:.3g} to {high:.3g}")
        return texts

    def unlike(self, features: np.ndarray) -> str:
        """Describe features or targets (3,) that are unlike the training cases; empty if they are ordinary."""
        score = float(self.scores(features[None])[0])
        if score <= 1:
            return ""
        values = ", ".join(
            f"{_NAMES[name]} {value:.3g}{_UNITS[name]}"
            for name, value in zip(FEATURE_NAMES, features, strict=True)
            if not np.isnan(value)
        )
        outside = self.outside(features)
        known = f" ({'; '.join(outside)})" if outside else ""
        return f"unlike the training cases: {values}{known}; out-of-distribution score {score:.2f}, up to 1 is ordinary"

    def region(self, targets: np.ndarray) -> str:
        """Return the region of targets (3,) in words, as in ``high volume, without isthmus, low symmetry``."""
        parts = []
        for column, name in enumerate(FEATURE_NAMES):
            value = targets[column]
            if column == _AREA and value == 0:
                parts.append("without isthmus")
                continue
            cohort = self.features[:, column]
            if column == _AREA and (cohort > 0).any():
                cohort = cohort[cohort > 0]
            edges = np.percentile(cohort, [0, 25, 75, 100])
            # The largest value of the cohort belongs to its range.
            place = 3 if value == edges[-1] else int(np.searchsorted(edges, value, side="right"))
            parts.append(f"{'any' if np.isnan(value) else _CLASSES[place]} {_NAMES[name]}")
        return ", ".join(parts)

    def _reference(self, columns: tuple[int, ...]) -> _Reference:
        if columns not in self._references:
            self._references[columns] = _Reference(_with_log_volume(self.features)[:, columns])
        return self._references[columns]

    @cached_property
    def _references(self) -> dict[tuple[int, ...], _Reference]:
        return {}


class _Reference:
    """The training cases (n, d) in some of the features, and the limits of ordinary distances to them."""

    def __init__(self, known: np.ndarray) -> None:
        from scipy.spatial import cKDTree

        self._middle = np.median(known, axis=0)
        spread = known.std(axis=0)
        self._mean, self._scale = known.mean(axis=0), np.where(spread > 1e-9, spread, 1.0)
        standard = (known - self._mean) / self._scale
        # A pseudo-inverse, because a feature may be constant.
        self._precision = np.linalg.pinv(standard.T @ standard / len(known), rcond=1e-6, hermitian=True)
        self._tree = cKDTree(standard)
        # The nearest case but itself.
        nearest = self._tree.query(standard, k=min(2, len(known)))[0].reshape(len(known), -1)[:, -1]
        distances = np.column_stack([*self._to_either_side(known), self._from_mean(standard), nearest])
        self._limits = np.array([tail_limit(values) for values in distances.T])

    def scores(self, points: np.ndarray) -> np.ndarray:
        standard = (points - self._mean) / self._scale
        nearest = self._tree.query(standard)[0]
        distances = np.column_stack([*self._to_either_side(points), self._from_mean(standard), nearest])
        return (distances / self._limits).max(axis=1)

    def _to_either_side(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offset = (points - self._middle) / self._scale
        return np.maximum(offset, 0.0), np.maximum(-offset, 0.0)

    def _from_mean(self, standard: np.ndarray) -> np.ndarray:
        return np.sqrt(np.einsum("ni,ij,nj->n", standard, self._precision, standard))


def tail_limit(values: Sequence[float] | np.ndarray) -> float:
    """Return the value that one in 500 of a population exceeds, given a sample (n,); never less than its largest.

    The tail of the sample is continued as an exponential one, because few samples have 500 values. Infinite for a
    sample that is too small, of which nothing can be known, and for one that ends at the same value many times: that is
    as far as possible, such as an isthmus area of 0.
    """
    ordered = np.sort(np.asarray(values, dtype=float))[::-1]
    count = min(max(len(ordered) // 10, _IN_TAIL), len(ordered) - 1)
    if count < _LEAST:
        return float("inf")
    excess = ordered[:count].mean() - ordered[count]
    if excess <= 0:
        return float("inf")
    return float(max(ordered[0], ordered[count] + excess * np.log(count / (len(ordered) * _TAIL))))


def _with_log_volume(features: np.ndarray) -> np.ndarray:
    volume = np.log(np.maximum(features[:, _VOLUME], 1e-3))
    return np.column_stack([volume, features[:, _AREA], features[:, _SYMMETRY]])
