"""Structures that a thyroid must not enter, and its contact with them, in `trachea_mm`.

Imports only `common` and the other files of `geometry`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "continuation": ["continued_beyond_scan"],
        "lying": ["LyingOn", "OnTrachea", "lying_on"],
        "structures": ["RigidStructures"],
    },
)
