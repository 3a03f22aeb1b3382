"""One nodule: where it lies, how large it is, and what it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError

PARTS = ("right", "left", "isthmus")
"""The parts of the gland: its right and left lobe, and the isthmus between them."""

MARGINS = ("smooth", "lobulated", "irregular")
COMPOSITIONS = ("solid", "mixed", "cystic")
CALCIFICATIONS = ("none", "micro", "macro", "rim")

LARGEST_BULGE = 0.7
"""Most of a nodule's volume that may lie outside the gland as it was; beyond it the nodule would hang on a stalk."""

DIAMETER_LIMITS_MM = (1.0, 80.0)
"""Least and largest diameter: from the smallest nodules that ultrasound shows to large goitres."""

# A long thin ellipsoid is no nodule, and steps of voxels would cut it into pieces.
_LONGEST_SHAPE = 4.0


@dataclass(frozen=True)
class Nodule:
    """A nodule, before it is built.

    Attributes
    ----------
    diameters_mm : tuple of three floats
        Left–right, anteroposterior and craniocaudal diameter, before the nodule is turned.
    part : str or None
        One of `PARTS`, in which a position is drawn; None for a given position in any of them.
    position_ras_mm : tuple of three floats, or None
        Centre of the nodule; None to draw it in the part.
    angles_deg : tuple of three floats
        Rotations about the axes R, A and S, in this order, in degrees.
    margin, composition, calcification : str
        One of `MARGINS`, `COMPOSITIONS` and `CALCIFICATIONS`.
    bulge : float or None
        Share of the nodule's volume outside the gland as it was: 0 inside, at most `LARGEST_BULGE`. None takes what
        the position gives; a position that is drawn then lies inside.
    seed : int
        Random seed of the form of its margin and of its calcification.

    Raises
    ------
    InputError
        A value is impossible, or neither a part nor a position is given.
    """

    diameters_mm: tuple[float, float, float]
    part: str | None = None
    position_ras_mm: tuple[float, float, float] | None = None
    angles_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    margin: str = "smooth"
    composition: str = "solid"
    calcification: str = "none"
    bulge: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        least, largest = DIAMETER_LIMITS_MM
        if len(self.diameters_mm) != 3 or not all(least <= each <= largest for each in self.diameters_mm):
            listed = " x ".join(f"{each:g}" for each in self.diameters_mm)
            raise InputError(
                f"A nodule of {listed} mm is impossible. Give three diameters of {least:g} to {largest:g} mm."
            )
        if max(self.diameters_mm) > _LONGEST_SHAPE * min(self.diameters_mm):
            listed = " x ".join(f"{each:g}" for each in self.diameters_mm)
            raise InputError(
                f"A nodule of {listed} mm is too long for its width. Its largest diameter may be {_LONGEST_SHAPE:g} "
                "times its smallest."
            )
        _check_choice("part", self.part, (None, *PARTS))
        _check_choice("margin", self.margin, MARGINS)
        _check_choice("composition", self.composition, COMPOSITIONS)
        _check_choice("calcification", self.calcification, CALCIFICATIONS)
        if self.part is None and self.position_ras_mm is None:
            raise InputError(f"A nodule needs a position, or the part of the gland it lies in: {', '.join(PARTS)}.")
        for name, numbers in (("position", self.position_ras_mm), ("angles", self.angles_deg)):
            if numbers is not None and (len(numbers) != 3 or not all(map(math.isfinite, numbers))):
                raise InputError(f"The {name} of a nodule must be three numbers.")
        if self.bulge is not None and not 0.0 <= self.bulge <= LARGEST_BULGE:
            raise InputError(
                f"A nodule cannot bulge by {self.bulge:g} of its volume. Give a share from 0 (inside the gland) to "
                f"{LARGEST_BULGE:g}."
            )

    @property
    def axes(self) -> np.ndarray:
        """The directions of its three diameters in `ras_mm`, the columns of a matrix of shape (3, 3)."""
        from scipy.spatial.transform import Rotation

        return Rotation.from_euler("xyz", self.angles_deg, degrees=True).as_matrix()

    @property
    def material(self) -> str:
        """Name of its material, such as ``thyroid_nodule_solid``."""
        return f"thyroid_nodule_{self.composition}"

    def as_dict(self) -> dict[str, Any]:
        """Return its properties as a JSON document states them."""
        position = self.position_ras_mm
        return {
            "part": self.part,
            "position_ras_mm": None if position is None else [round(float(each), 3) for each in position],
            "diameters_mm": [round(float(each), 3) for each in self.diameters_mm],
            "angles_deg": [round(float(each), 2) for each in self.angles_deg],
            "margin": self.margin,
            "composition": self.composition,
            "calcification": self.calcification,
            "bulge": self.bulge,
            "seed": self.seed,
        }


def _check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        listed = ", ".join(each for each in choices if each)
        raise InputError(f"'{value}' is no {name} of a nodule. Choose one of: {listed}.")
