"""The set of thyroids that the authors of the paper published: reading it, and preparing it as a cohort.

Imports `common`, `geometry`, `imaging` and the rest of `dataset`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "preparation": ["AuthorsOptions", "prepare_authors_set"],
        "published_set": ["PublishedSet", "open_published_set"],
        "units": ["UNKNOWN_SCALE_NOTE", "Units"],
    },
)
