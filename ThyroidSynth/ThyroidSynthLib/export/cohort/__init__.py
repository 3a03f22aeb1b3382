"""A generated cohort on disk: made by parallel workers or a background process, recorded in a manifest.

Imports the files of `export`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "cohort_making": ["CohortPlan", "make_thyroids"],
        "cohort_run": ["CohortRun", "CohortState"],
        "generated_cohort": [
            "GeneratedCohort",
            "begun_thyroids",
            "check_cohort_room",
            "check_files",
            "record_cohort",
            "thyroid_writer",
        ],
        "manifest": ["ManifestWriter", "listed_files"],
        "cohort_kind": ["WrittenMember"],
        "written_thyroid": ["ThyroidWriter"],
    },
)
