"""Organs beside the thyroid, such as the trachea: their masks, surfaces, features and samples where a scan shows them.

Imports `common`, `geometry`, `imaging` and `dataset.finding`; the rest of `dataset` imports this package.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "organ_cohort": ["OrganCohort"],
        "organ_samples": ["OrganSampling", "draw_organ_samples"],
        "organ_shapes": ["ORGAN_FEATURES", "OrganShape", "measure_organ", "organ_frame", "organ_in_scan"],
        "reading": ["checked_names", "organ_masks"],
    },
)
