"""The arrays that simulators of ultrasound take: speed of sound, density and attenuation of each voxel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.export.materials import require
from ThyroidSynthLib.export.phantom import Phantom
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .contents import beam_of, present_materials

TOWARDS = "RAS"
"""Where the axes increase to; see `Volume.towards`."""


# Standard deviation of the pulse in voxels: wide enough that the grid carries all of its frequencies.
_PULSE_VOXELS = 1.5
_DEPTH_VOXELS = 5
_TISSUE_SPEED_M_S = 1500.0
# With the density of air the solvers are unstable: on the example neck the pressure of both grew without limit within
# 3 to 12 µs. With this one it stays finite, and the border to tissue still reflects 85 % of the amplitude.
_LEAST_DENSITY_KG_M3 = 400.0
# Between those of fat and cartilage, and those of air and bone.
_SLOWEST_M_S, _FASTEST_M_S = 1200.0, 2000.0


@dataclass(frozen=True)
class Acoustics:
    """What ultrasound meets, on arrays [x, y, z] of float32.

    Attributes
    ----------
    sound_speed_m_s, density_kg_m3 : ndarray
        Speed of sound, and mass density.
    attenuation_db_cm : ndarray
        Attenuation at 1 MHz.
    attenuation_power : float
        The power of the frequency that attenuation is proportional to, in most materials.
    line : ndarray of int, shape (n, 3)
        Indices of the voxels from the source, under the skin of the front of the neck, through the thickest place of
        the thyroid, to the first bone or air behind it, which reflects most of the wave.
    grid : Grid
        Where the voxels lie.
    """

    sound_speed_m_s: np.ndarray
    density_kg_m3: np.ndarray
    attenuation_db_cm: np.ndarray
    attenuation_power: float
    line: np.ndarray
    grid: Grid

    def pulse(self) -> np.ndarray:
        """Return the pressure at the start: a ball of Gaussian profile at the source, 1 at its centre, float32."""
        nx, ny, nz = self.sound_speed_m_s.shape
        squared = sum((index - at) ** 2 for index, at in zip(np.ogrid[:nx, :ny, :nz], self.line[0], strict=True))
        return np.exp(-0.5 * squared / _PULSE_VOXELS**2).astype(np.float32)

    def duration_s(self) -> float:
        """Return the time in s that a wave of 1500 m/s takes along the line and half as much."""
        length_mm = len(self.line) * float(self.grid.spacing_mm[1])
        return 1.5 * length_mm / 1000 / _TISSUE_SPEED_M_S


def acoustics_of(phantom: Phantom, program: str) -> Acoustics:
    """Return what a simulator of ultrasound takes; `InputError` if the materials lack a value.

    In a voxel of several materials density and attenuation are the means of their values, and the time that a wave
    takes is the mean of theirs, so that the times along a line are right. No density is less than 400 kg/m³, so that
    the solvers are stable where air borders on tissue.
    """
    materials, fractions = present_materials(phantom), phantom.fractions()
    labels = phantom.labels.volume

    def value(column: str) -> dict[str, float]:
        return {name: require(each, column, program) for name, each in materials.items()}

    def mean(values: dict[str, float]) -> np.ndarray:
        total = np.zeros(labels.array.shape, dtype=np.float32)
        for name, share in fractions.items():
            total += share * np.float32(values[name])
        return np.ascontiguousarray(Volume(total, labels.ijk_to_ras).towards(TOWARDS).array.transpose(2, 1, 0))

    slowness = mean({name: 1 / speed for name, speed in value("sound_speed_m_s").items()})
    density = np.maximum(mean(value("density_kg_m3")), _LEAST_DENSITY_KG_M3)
    attenuation = mean(value("attenuation_db_cm_mhz"))
    beam = beam_of(phantom)
    # Under the skin by the width of the pulse, because the air in front of it reflects, and before the thyroid.
    along = np.arange(min(max(beam.skin - _DEPTH_VOXELS, beam.front + 1), beam.skin), -1, -1)
    speeds = 1 / slowness[beam.i, along, beam.k]
    end = np.flatnonzero((along < beam.back) & ((speeds < _SLOWEST_M_S) | (speeds > _FASTEST_M_S)))
    along = along[: end[0]] if end.size else along
    return Acoustics(
        sound_speed_m_s=1 / slowness,
        density_kg_m3=density,
        attenuation_db_cm=attenuation,
        attenuation_power=float(Counter(value("attenuation_power").values()).most_common(1)[0][0]),
        line=np.stack([np.full_like(along, beam.i), along, np.full_like(along, beam.k)], axis=1),
        grid=labels.towards(TOWARDS).grid,
    )
