"""Edits of a patient's own thyroid that keep its individual details.

Imports packages up to `model`, and `generation.decode` and `generation.fit`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "editing": ["PatientFit", "PatientShapes", "fit_patient"],
        "gland_field": ["GlandField"],
    },
)
