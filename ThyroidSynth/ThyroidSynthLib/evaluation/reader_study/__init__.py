"""Reader study: readers rate thyroids as real or synthetic without knowing which is which.

A study is a folder that is fixed when it is created; each reader adds a file of ratings. Imports `common` to `export`
and `evaluation.metrics`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "candidates": ["Candidate", "candidates_of_cohort", "candidates_of_generated_cohort"],
        "creation": ["create_study"],
        "infill": ["without_gland"],
        "plan": ["STUDY_FILE", "StudyPlan", "StudyShape"],
        "ratings": ["RATINGS", "Rating", "RatingSession", "read_ratings"],
        "summary": ["StudySummary", "summarise", "write_summary"],
    },
)
