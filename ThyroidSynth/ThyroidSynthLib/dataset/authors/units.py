"""Axes and lengths of the published set: its coordinates have no unit and axes of their own.

The first axis of the set is craniocaudal, the second anteroposterior, the third left–right. Each coordinate is divided
by the largest extent in the set along its axis (paper, section 2.5), and the set does not state these extents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ThyroidSynthLib.common.errors import InputError

NOMINAL_MM = 50.0
"""Millimetres that one unit counts as while the scale of a set is unknown."""

UNKNOWN_SCALE_NOTE = (
    f"The scale of the set is unknown, so lengths are in units and not in millimetres (one unit counts as "
    f"{NOMINAL_MM:g} mm). State the scale when it is known (--scale-mm)."
)

# Mean extents of the authors' 353 training shapes along their three axes (paper, section 3.1).
_PUBLISHED_EXTENTS_MM = np.array([44.75, 29.32, 52.18])
# Order of the set's axes in R, A, S.
_ORDER = [2, 1, 0]
_LARGEST_SCALE_MM = 1000.0

ScaleOrigin = Literal["stated", "published", "unknown"]


@dataclass(frozen=True)
class Units:
    """Conversion of the published set's coordinates to R, A, S, and to millimetres.

    Attributes
    ----------
    scale_mm : ndarray, shape (3,)
        Millimetres per unit along R, A and S.
    signs : ndarray, shape (3,)
        1 or -1 along R, A and S.
    origin : str
        Where the scale is from: "stated" by the user, derived from the mean extents "published" in the paper, or
        "unknown", in which case it is nominal.
    """

    scale_mm: np.ndarray
    signs: np.ndarray
    origin: ScaleOrigin

    @classmethod
    def of_set(
        cls, lower: np.ndarray, upper: np.ndarray, scale: tuple[float, float, float] | Literal["published"] | None
    ) -> Units:
        """Return the conversion of a set with the boxes (n, 3) of its shapes, in units along the set's axes.

        The origin is the centre of mass of the trachea, and the gland lies above and in front of it. This gives the
        directions of the first two axes. The third is taken to point to the right: the shapes do not show it.

        Parameters
        ----------
        scale : three lengths, "published" or None
            Millimetres per unit along the set's axes; "published" derives them from the mean extents in the paper,
            which is correct for the published set only.
        """
        middle = (lower + upper).mean(axis=0) / 2
        signs = np.where(middle[_ORDER] < 0, -1.0, 1.0)
        signs[0] = 1.0
        if scale is None:
            return cls(np.full(3, NOMINAL_MM), signs, "unknown")
        if scale == "published":
            derived = _PUBLISHED_EXTENTS_MM / (upper - lower).mean(axis=0)
            return cls(derived[_ORDER], signs, "published")
        lengths = np.array(scale, dtype=np.float64)
        if lengths.shape != (3,) or not ((lengths > 0) & (lengths <= _LARGEST_SCALE_MM)).all():
            raise InputError(
                f"The scale of the set, {scale}, is not three lengths above 0 and up to {_LARGEST_SCALE_MM:g} mm. "
                "State the millimetres per unit along its three axes."
            )
        return cls(lengths[_ORDER], signs, "stated")

    @property
    def known(self) -> bool:
        """Whether lengths are in millimetres."""
        return self.origin != "unknown"

    @property
    def axes(self) -> str:
        """The directions in which the set's axes point, such as "SAR"."""
        right, anterior, superior = self.signs > 0
        return ("S" if superior else "I") + ("A" if anterior else "P") + ("R" if right else "L")

    def to_ras(self, positions: np.ndarray) -> np.ndarray:
        """Convert positions (..., 3) of the set to R, A, S, in units."""
        return positions[..., _ORDER] * self.signs

    def features(self, published: np.ndarray) -> np.ndarray:
        """Convert features (..., 3) in units to mL, mm² and 1."""
        right, anterior, superior = self.scale_mm
        return published * np.array([right * anterior * superior / 1000.0, anterior * superior, 1.0])

    def to_json(self) -> dict[str, Any]:
        """Return the conversion as a dictionary for ``cohort.json``; lengths along R, A and S."""
        return {"axes": self.axes, "scale_mm": self.scale_mm.tolist(), "scale": self.origin}
