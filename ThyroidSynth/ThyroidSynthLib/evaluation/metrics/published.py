"""Means the paper reports for its three variants on 353 real thyroids (paper, section 3).

Only measures that are computed in the same way here are listed. The cohorts differ, so the values give orientation
and no ranking.
"""

from __future__ import annotations

from collections.abc import Mapping

PUBLISHED_CASES = 353

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "baseline": {
        "training_chamfer_mm": 1.56,
        "nearest_training_mm": 3.67,
        "training_to_training_mm": 4.13,
    },
    "fixed": {
        "training_chamfer_mm": 1.63,
        "nearest_training_mm": 3.72,
        "training_to_training_mm": 4.13,
        "direct_sampling_pcc_volume_ml": 0.98,
        "direct_sampling_pcc_isthmus_area_mm2": 0.88,
        "direct_sampling_pcc_symmetry": 0.32,
    },
    "correlation": {
        "training_chamfer_mm": 1.60,
        "nearest_training_mm": 3.69,
        "training_to_training_mm": 4.13,
        "direct_sampling_pcc_volume_ml": 0.98,
        "direct_sampling_pcc_isthmus_area_mm2": 0.93,
        "direct_sampling_pcc_symmetry": 0.43,
    },
}
"""Mean values by variant and key of a `headline.Measure`."""


def published_text(variant: str, key: str) -> str:
    """Format a published value with its two decimals; a dash if there is none."""
    value = PUBLISHED[variant].get(key)
    return "–" if value is None else f"{value:.2f}"
