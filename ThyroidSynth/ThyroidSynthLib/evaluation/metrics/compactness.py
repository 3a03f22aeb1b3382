"""Compactness of a shape space: how few modes hold its variance (Davies et al., IEEE Trans. Med. Imaging 2002)."""

from __future__ import annotations

from typing import Any

import numpy as np

_SHARE = 0.95
_FIRST = 10


def cumulative_variance(samples: np.ndarray) -> np.ndarray:
    """Return the share of the variance of samples (n, m) in the first 1, 2, … of their n − 1 principal components.

    Ones if the samples do not differ.
    """
    variance = np.linalg.svd(samples - samples.mean(axis=0), compute_uv=False)[: len(samples) - 1] ** 2
    total = variance.sum()
    return np.cumsum(variance) / total if total > 0 else np.ones(len(variance))


def compactness_summary(cumulative: np.ndarray) -> dict[str, Any]:
    """Return the number of modes for 95 % of the variance, and the share of the first ten; empty without modes."""
    if not len(cumulative):
        return {}
    return {
        "modes": len(cumulative),
        "modes_for_95_percent": int(np.searchsorted(cumulative, _SHARE) + 1),
        "share_of_first_10": float(cumulative[min(_FIRST, len(cumulative)) - 1]),
        "cumulative": [round(float(value), 4) for value in cumulative[:100]],
    }
