"""Organs beside the thyroid: their shapes, and the fit to a patient's own.

Imports packages up to `jobs`, and `generation.decode`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "fitting": ["OrganFit", "fit_organ"],
        "organ": ["Organ", "organ_of_code"],
    },
)
