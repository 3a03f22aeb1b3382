"""Where wishes lie among the training cohort's features: how far from what a model knows, and in which region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

FAR = 1.5
"""A wish with no training case within so many SDs is far outside anything the model knows."""

_VOLUME, _AREA, _SYMMETRY = range(3)
_FREE = "any"
_BLOCK = 4096
# Parts of the cohort's range of a feature: ends and quartiles divide it.
_CLASSES = ("below the cohort's", "low", "middling", "high", "above the cohort's")
_NAMES = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus area", "symmetry": "symmetry"}


@dataclass(frozen=True)
class FeatureSpace:
    """The training cohort's features, as a measure of what is usual.

    Attributes
    ----------
    features : ndarray, shape (n, 3)
        In the order of `FEATURE_NAMES`.
    """

    features: np.ndarray

    def distances(self, targets: np.ndarray) -> np.ndarray:
        """How far each wish (m, 3) is from the nearest training case, in SDs of the cohort, shape (m,).

        Volumes are compared by their logarithm; features left free (NaN) do not count.
        """
        known, scale = _encoded(self.features), self._scale()
        found = np.empty(len(targets))
        for start in range(0, len(targets), _BLOCK):
            offset = (_encoded(targets[start : start + _BLOCK])[:, None] - known) / scale
            found[start : start + _BLOCK] = np.sqrt(np.nansum(offset**2, axis=2).min(axis=1))
        return found

    def far(self, targets: np.ndarray) -> np.ndarray:
        """Indices of the wishes (m, 3) that are further from every training case than `FAR`, furthest first."""
        distances = self.distances(targets)
        order = np.argsort(-distances, kind="stable")
        return order[distances[order] > FAR]

    def outside(self, target: np.ndarray) -> list[str]:
        """Say which features of a wish (3,) lie beyond the cohort's range, and what that is."""
        said = []
        for column, name in enumerate(FEATURE_NAMES):
            low, high = self.features[:, column].min(), self.features[:, column].max()
            if target[column] < low or target[column] > high:
                said.append(f"{_NAMES[name]} of the cohort: {low:.3g} to {high:.3g}")
        return said

    def region(self, values: np.ndarray) -> str:
        """Name the region of features (3,), as in ``high volume, without isthmus, low symmetry``."""
        parts = []
        for column, name in enumerate(FEATURE_NAMES):
            value = values[column]
            if column == _AREA and value == 0:
                parts.append("without isthmus")
                continue
            cohort = self.features[:, column]
            if column == _AREA and (cohort > 0).any():
                cohort = cohort[cohort > 0]
            edges = np.percentile(cohort, [0, 25, 75, 100])
            place = int(np.searchsorted(edges, value, side="right"))
            # Both ends of the cohort's range belong to it.
            place = 3 if value == edges[-1] else place
            parts.append(f"{_FREE if np.isnan(value) else _CLASSES[place]} {_NAMES[name]}")
        return ", ".join(parts)

    def _scale(self) -> np.ndarray:
        spread = _encoded(self.features).std(axis=0)
        return np.where(spread > 1e-9, spread, 1.0)


def _encoded(features: np.ndarray) -> np.ndarray:
    volume = np.log(np.maximum(features[:, _VOLUME], 1e-3))
    return np.column_stack([volume, features[:, _AREA], features[:, _SYMMETRY]])
