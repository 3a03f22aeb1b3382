"""Histograms of the features of two samples, for charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BINS = 12
# Around the data, so that no bar touches the edge of the chart.
_MARGIN = 0.04


@dataclass(frozen=True)
class Histogram:
    """Two samples over the same bins: the percentage of each sample in each bin, zeros for an empty sample."""

    edges: np.ndarray  # (bins + 1,), in the feature's unit
    cohort: np.ndarray  # (bins,)
    made: np.ndarray  # (bins,)

    @property
    def centres(self) -> np.ndarray:
        """Centres of the bins."""
        return (self.edges[:-1] + self.edges[1:]) / 2

    def outline_of_made(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the corners (x, y) of the staircase over the bins of the made sample."""
        x = np.repeat(self.edges, 2)
        y = np.concatenate([[0.0], np.repeat(self.made, 2), [0.0]])
        return x, y


def histogram(cohort: np.ndarray, made: np.ndarray, *, bins: int = _BINS) -> Histogram:
    """Compute the histograms of two samples over the same bins; either sample may be empty."""
    cohort, made = np.asarray(cohort, dtype=float), np.asarray(made, dtype=float)
    edges = np.linspace(*limits(np.concatenate([cohort, made])), bins + 1)
    return Histogram(edges, _percent(cohort, edges), _percent(made, edges))


def limits(values: np.ndarray) -> tuple[float, float]:
    """Return axis limits around all values with a margin; never negative, as features are not."""
    if len(values) == 0:
        return 0.0, 1.0
    low, high = float(np.min(values)), float(np.max(values))
    margin = _MARGIN * (high - low) or 0.05 * max(abs(high), 1.0)
    return max(low - margin, 0.0), high + margin


def _percent(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    counts = np.histogram(values, edges)[0]
    return 100.0 * counts / max(len(values), 1)
