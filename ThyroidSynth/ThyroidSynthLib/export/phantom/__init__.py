"""Phantoms: necks that are complete for a simulator, with a generated, edited or given thyroid.

Imports the files of `export`, its materials, and packages up to `generation`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "phantom": ["Phantom"],
    },
)
