"""Organs beside the thyroid: their shapes, the fit to a patient's own, sets that belong together, and steering.

Imports packages up to `jobs`, and `generation.decode`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "fitting": ["OrganFit", "fit_organ"],
        "organ": ["Organ", "organ_of_code"],
        "organ_set": ["OrganMaker", "whole_label_map"],
        "own_organs": ["OwnOrgan", "own_organs_of"],
        "steering": ["SteeredOrgan", "steer_organ"],
    },
)
