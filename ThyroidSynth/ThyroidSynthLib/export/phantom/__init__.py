"""Phantoms: necks that are complete for a simulator, with a generated, edited or given thyroid.

Imports the files of `export`, its cohort, materials, neck and nodules, and packages up to `generation`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "building": ["GLANDS", "build_phantom"],
        "composing": ["NEIGHBOURS", "Composed", "compose"],
        "motion": ["Motion", "yielding_motion"],
        "phantom": ["Phantom"],
        "phantom_cohort": ["PHANTOM_COHORT", "PhantomWriter"],
        "phantom_folder": ["write_phantom"],
        "phantom_options": ["PhantomFiles", "PhantomOptions"],
    },
)
