"""A material: its density, composition, acoustics and optics, with a source for every number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import is_kind

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi"
)

ATOMIC_NUMBERS = {symbol: number for number, symbol in enumerate(_SYMBOLS.split(), start=1)}
"""Atomic number of each element that a composition may name, by symbol."""

# Least and greatest value of each column: wide enough for gases, contrast agents and implants, and narrow enough to
# find a number in another unit, such as a density in g/cm³.
LIMITS = {
    "density_kg_m3": (0.05, 25_000.0),
    "hu_120kvp": (-1100.0, 65_000.0),
    "sound_speed_m_s": (100.0, 10_000.0),
    "attenuation_db_cm_mhz": (0.0, 1000.0),
    "attenuation_power": (0.0, 3.0),
    "mu_a_per_mm": (0.0, 1000.0),
    "mu_s_reduced_per_mm": (0.0, 1000.0),
    "g": (-1.0, 1.0),
    "n": (1.0, 4.0),
    "wavelength_nm": (100.0, 20_000.0),
}
"""Least and greatest value of each number of a material."""

OPTICAL = ("mu_a_per_mm", "mu_s_reduced_per_mm", "g", "n")
"""The numbers of `Optical`; as columns they end in the wavelength, such as ``mu_a_per_mm_800nm``."""

# A published composition is rounded to 0.1 %, and has about ten elements.
_SUM_TOLERANCE = 0.01
# Names become those of files and words of the input of simulators.
_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,63}")


@dataclass(frozen=True)
class Optical:
    """Optical properties at one wavelength.

    Attributes
    ----------
    wavelength_nm : float
        Wavelength in vacuum.
    mu_a_per_mm, mu_s_reduced_per_mm : float or None
        Absorption and reduced scattering coefficient, in 1/mm.
    g : float or None
        Anisotropy of scattering: mean cosine of the angle.
    n : float or None
        Refractive index.
    """

    wavelength_nm: float
    mu_a_per_mm: float | None = None
    mu_s_reduced_per_mm: float | None = None
    g: float | None = None
    n: float | None = None

    def column(self, name: str) -> str:
        """Return the column of one of its numbers in a table, such as ``mu_a_per_mm_800nm``."""
        return f"{name}_{self.wavelength_nm:g}nm"

    @property
    def mu_s_per_mm(self) -> float:
        """Scattering coefficient in 1/mm: the reduced one, without the reduction by `g`."""
        if not self.mu_s_reduced_per_mm:
            return 0.0
        g = self.g or 0.0
        return self.mu_s_reduced_per_mm / (1 - g)


@dataclass(frozen=True)
class Material:
    """What a structure consists of. None stands for what is not known.

    Attributes
    ----------
    name : str
        Such as ``muscle``.
    density_kg_m3 : float or None
        Mass density.
    composition : mapping of str to float
        Mass fraction of each element, by its symbol; empty if not known.
    hu_120kvp : float or None
        Hounsfield units in a CT of 120 kVp.
    sound_speed_m_s : float or None
        Speed of sound.
    attenuation_db_cm_mhz, attenuation_power : float or None
        Acoustic attenuation at 1 MHz in dB/cm, and the power y of the frequency that it is proportional to.
    optical : tuple of Optical
        Optical properties by wavelength.
    snomed : str or None
        SNOMED CT code.
    sources : mapping of str to str
        Where each number is taken from, by column.
    """

    name: str
    density_kg_m3: float | None = None
    composition: Mapping[str, float] = field(default_factory=dict)
    hu_120kvp: float | None = None
    sound_speed_m_s: float | None = None
    attenuation_db_cm_mhz: float | None = None
    attenuation_power: float | None = None
    optical: tuple[Optical, ...] = ()
    snomed: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the name and the numbers; `ValueError` says which is impossible."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "its name has other signs than letters, digits, '_', '-', '+' and '.', as names of files have"
            )
        for column, (least, most) in LIMITS.items():
            if hasattr(self, column):
                _check_number(column, getattr(self, column), least, most)
        for each in self.optical:
            for column in ("wavelength_nm", *OPTICAL):
                name = column if column == "wavelength_nm" else each.column(column)
                _check_number(name, getattr(each, column), *LIMITS[column])
            if each.mu_s_reduced_per_mm and each.g == 1:
                raise ValueError(f"{each.column('g')} is 1, which means no scattering, but it scatters")
        for symbol, share in self.composition.items():
            if symbol not in ATOMIC_NUMBERS:
                raise ValueError(f"composition names '{symbol}', which is not the symbol of an element such as Ca")
            _check_number(f"composition of {symbol}", share, 0.0, 1.0)
        total = sum(self.composition.values())
        if self.composition and abs(total - 1) > _SUM_TOLERANCE:
            raise ValueError(f"composition adds up to {total:.4g}, not to 1")

    def values(self) -> dict[str, Any]:
        """Return all known numbers by column, those of `optical` with the wavelength in the column's name."""
        plain = ("density_kg_m3", "composition", *list(LIMITS)[1:5], "snomed")
        found: dict[str, Any] = {column: getattr(self, column) for column in plain}
        found |= {each.column(column): getattr(each, column) for each in self.optical for column in OPTICAL}
        return {column: value for column, value in found.items() if value not in (None, {})}

    def optical_at(self, wavelength_nm: float) -> Optical | None:
        """Return the optical properties at a wavelength, or None."""
        return next((each for each in self.optical if each.wavelength_nm == wavelength_nm), None)

    def mass_fractions(self) -> dict[str, float]:
        """Return the composition scaled so that it adds up to 1 exactly."""
        total = sum(self.composition.values())
        return {symbol: share / total for symbol, share in self.composition.items() if share > 0}


def require(material: Material, column: str, simulator: str) -> Any:
    """Return a value of a material that a simulator needs.

    Parameters
    ----------
    column : str
        Such as ``sound_speed_m_s``, ``composition`` or ``mu_a_per_mm_800nm``.
    simulator : str
        Name of the simulator, for the message.

    Raises
    ------
    InputError
        The value is not known. The message names material, column and simulator.
    """
    value = material.values().get(column)
    if value is None:
        raise InputError(
            f"{simulator} needs {column} of the material '{material.name}', which the table of materials leaves empty. "
            "Give the value in a table (--materials), or crop the phantom so that it does not hold this material."
        )
    return value


def _check_number(column: str, value: object, least: float, most: float) -> None:
    if value is None:
        return
    if not is_kind(value, float) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{column} is not a finite number")
    if not least <= value <= most:
        raise ValueError(f"{column} is {value:g}, but {least:g} to {most:g} is possible")
