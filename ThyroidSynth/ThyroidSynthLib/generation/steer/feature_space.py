"""Targets in relation to the training cohort: how far outside it they are, and in which region of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

FAR = 1.5
"""Targets with no training case within so many SDs are far outside the training cohort."""

_VOLUME, _AREA, _SYMMETRY = range(3)
# Targets compared at a time, which bounds the memory.
_BLOCK = 4096
# Parts of a feature's range in the cohort, divided at its ends and quartiles.
_CLASSES = ("below the cohort's", "low", "medium", "high", "above the cohort's")
_NAMES = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus area", "symmetry": "symmetry"}


@dataclass(frozen=True)
class FeatureSpace:
    """The training cohort's features (n, 3) as a reference for targets.

    Targets are arrays in the order of `FEATURE_NAMES`, NaN where a feature is free.
    """

    features: np.ndarray

    def distances(self, targets: np.ndarray) -> np.ndarray:
        """Return the distance (m,) of targets (m, 3) to the nearest training case, in SDs of the cohort.

        Volumes are compared by their logarithm; free features do not count.
        """
        known = _with_log_volume(self.features)
        spread = known.std(axis=0)
        scale = np.where(spread > 1e-9, spread, 1.0)
        found = np.empty(len(targets))
        for start in range(0, len(targets), _BLOCK):
            offset = (_with_log_volume(targets[start : start + _BLOCK])[:, None] - known) / scale
            found[start : start + _BLOCK] = np.sqrt(np.nansum(offset**2, axis=2).min(axis=1))
        return found

    def far(self, targets: np.ndarray) -> np.ndarray:
        """Return the indices of the targets (m, 3) farther than `FAR` from every training case, farthest first."""
        distances = self.distances(targets)
        order = np.argsort(-distances, kind="stable")
        return order[distances[order] > FAR]

    def outside(self, targets: np.ndarray) -> list[str]:
        """Return a text for each target (3,) outside the cohort's range, with the range."""
        texts = []
        for column, name in enumerate(FEATURE_NAMES):
            low, high = self.features[:, column].min(), self.features[:, column].max()
            if targets[column] < low or targets[column] > high:
                texts.append(f"{_NAMES[name]} of the cohort: {low:.3g} to {high:.3g}")
        return texts

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


def _with_log_volume(features: np.ndarray) -> np.ndarray:
    volume = np.log(np.maximum(features[:, _VOLUME], 1e-3))
    return np.column_stack([volume, features[:, _AREA], features[:, _SYMMETRY]])
