"""Cases, quality control, and prepared cohorts with their held-out cases; `synthetic` makes example cases.

Imports `common`, `geometry` and `imaging`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "case_sources": ["CaseSource", "FoundCases", "find_case", "find_cases", "search_cases", "synthetic_statement"],
        "cases": ["Case", "case_from_volumes", "read_case"],
        "cohort": ["Cohort"],
        "cohort_writing": ["write_cohort_from_surfaces"],
        "islands": ["ComponentRules", "without_islands"],
        "prepare": ["PreparationSummary", "PrepareOptions", "check_cases", "prepare_cohort"],
        "quality": ["CheckedCase", "QualityRules", "QualityVerdict", "check_case"],
        "quality_table": ["CaseVerdict", "read_quality_table"],
        "splits": ["folds_of", "hold_out"],
    },
)
