"""The wavelength at which the optics of a phantom are known."""

from __future__ import annotations

from collections.abc import Sequence

from ThyroidSynthLib.common.errors import InputError

from .material import OPTICAL, Material, require


def common_wavelength(materials: Sequence[Material], simulator: str) -> float:
    """Return the wavelength in nm at which all optical properties of all materials are known, the first if several.

    Raises
    ------
    InputError
        There is none. The message names a material, the column that it lacks, and the simulator.
    """
    known = [each.wavelength_nm for material in materials for each in material.optical]
    wavelengths = list(dict.fromkeys(known))
    for wavelength in wavelengths:
        if all(_is_known(material, wavelength) for material in materials):
            return wavelength
    if not wavelengths:
        raise InputError(
            f"{simulator} needs optical properties, but the table of materials has no column such as "
            "mu_a_per_mm_800nm. Give them in a table (--materials)."
        )
    # Most materials are known at the most frequent wavelength, so that the message names one that is not.
    wavelength = max(wavelengths, key=known.count)
    for material in materials:
        for column in OPTICAL:
            require(material, f"{column}_{wavelength:g}nm", simulator)
    raise AssertionError("a wavelength at which all is known was refused")


def _is_known(material: Material, wavelength_nm: float) -> bool:
    optical = material.optical_at(wavelength_nm)
    return optical is not None and all(getattr(optical, column) is not None for column in OPTICAL)
