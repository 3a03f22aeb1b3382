"""Generated cohorts: target distributions and tables, thyroids steered to them, and what was achieved.

Imports `steer` and the files of `generation`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "achieved_distribution": ["AchievedDistribution"],
        "marginals": ["Marginal"],
        "patient_site": ["PatientSite", "site_at", "site_at_point"],
        "stratification": ["stratified_targets"],
        "target_distribution": ["TargetDistribution"],
        "target_table": ["read_targets"],
        "thyroid_maker": ["ThyroidMaker", "generate_to_target"],
    },
)
