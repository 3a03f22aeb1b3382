"""The values of the features that a user asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError

from .features import FEATURE_NAMES

# Absolute and relative tolerance: volume 2 %, isthmus area 3 mm² or 3 %, symmetry 0.01.
_TOLERANCE = {"volume_ml": (0.0, 0.02), "isthmus_area_mm2": (3.0, 0.03), "symmetry": (0.01, 0.0)}
_WORDS = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus area", "symmetry": "symmetry"}
_FORMATS = {"volume_ml": "{:.1f} mL", "isthmus_area_mm2": "{:.0f} mm²", "symmetry": "symmetry {:.2f}"}


@dataclass(frozen=True)
class Targets:
    """Targets of one thyroid; a feature whose target is None is free.

    Volume in mL above 0; isthmus area in mm², 0 for two separate lobes; symmetry 0 to 1. `InputError` with the name and
    the range of a feature if no thyroid can have the value.
    """

    volume_ml: float | None = None
    isthmus_area_mm2: float | None = None
    symmetry: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            high = 1.0 if name == "symmetry" else np.inf
            if not (0.0 <= value <= high and np.isfinite(value)) or (name == "volume_ml" and value == 0):
                allowed = (
                    "between 0 and 1" if name == "symmetry" else "positive" if name == "volume_ml" else "0 or more"
                )
                raise InputError(f"{_WORDS[name]} = {value:g} is impossible. It must be {allowed}.")

    @classmethod
    def of(cls, values: Mapping[str, float | None]) -> Targets:
        """Return the targets of a mapping from feature to value, in which missing and None are free.

        `InputError` if a name is not a feature or a value is impossible.
        """
        for name in values:
            if name not in FEATURE_NAMES:
                raise InputError(f"There is no feature '{name}'. Choose among: {', '.join(FEATURE_NAMES)}.")
        return cls(**values)

    @classmethod
    def from_array(cls, values: np.ndarray) -> Targets:
        """Return the targets of an array (3,) in the order of `FEATURE_NAMES`, NaN where a feature is free."""
        return cls(*(None if np.isnan(value) else float(value) for value in values))

    def as_dict(self) -> dict[str, float]:
        """Return the targets by feature, without the free ones."""
        return {name: value for name in FEATURE_NAMES if (value := getattr(self, name)) is not None}

    def as_array(self) -> np.ndarray:
        """Return the targets (3,) in the order of `FEATURE_NAMES`, NaN where a feature is free."""
        return np.array([self.as_dict().get(name, np.nan) for name in FEATURE_NAMES])

    def __bool__(self) -> bool:
        """Return whether any feature has a target."""
        return bool(self.as_dict())

    def __str__(self) -> str:
        """Return the targets in words, as in ``95.0 mL, 40 mm², symmetry 0.60``."""
        return ", ".join(_FORMATS[name].format(value) for name, value in self.as_dict().items())


NO_TARGETS = Targets()
"""All features free."""


def misfit(name: str, measured: float, target: float) -> float:
    """Return the error of a feature in units of its tolerance; up to 1 the target is met.

    One is added where there is an isthmus and the target is none, or the other way round: a thin bridge
    still joins the lobes.
    """
    absolute, relative = _TOLERANCE[name]
    error = abs(measured - target) / max(absolute, relative * abs(target))
    other_kind = name == "isthmus_area_mm2" and (measured == 0) != (target == 0)
    return float(error + other_kind)
