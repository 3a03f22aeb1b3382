"""A phantom for j-Wave: differentiable ultrasound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.export.phantom import Phantom

from .acoustics import TOWARDS, acoustics_of
from .folder import write_geometry, write_run

_PROGRAM = "j-Wave"

_SCRIPT = """
import numpy as np
from jax import numpy as jnp
from jwave import FourierSeries
from jwave.acoustics.time_varying import simulate_wave_propagation
from jwave.geometry import Domain, Medium, Sensors, TimeAxis

data = np.load("medium.npz")
domain = Domain(data["sound_speed"].shape, tuple(data["spacing"].tolist()))


def field(name):
    return FourierSeries(jnp.asarray(data[name])[..., None], domain)


medium = Medium(domain, field("sound_speed"), field("density"), pml_size=float(data["pml_size"]))
# Longer steps are unstable at the border of air and tissue.
times = TimeAxis.from_medium(medium, cfl=0.15, t_end=float(data["t_end"]))
sensors = Sensors(tuple(tuple(axis) for axis in data["sensors"].T.tolist()))
pressure = simulate_wave_propagation(medium, times, p0=field("p0"), sensors=sensors)
pressure = np.asarray(pressure)[..., 0].T
np.savez("pressure.npz", pressure=pressure, time=np.arange(pressure.shape[1]) * times.dt)
print(f"{pressure.shape[0]} sensors, {pressure.shape[1]} times, largest pressure {np.abs(pressure).max():.3g}")
"""

_ABOUT = """
medium.npz  arrays [x, y, z] that j-Wave takes: sound_speed (m/s), density (kg/m3), p0 (a pulse under the skin before
            the thickest place of the thyroid), spacing (m), sensors (indices on the line from there to the first bone
            or air behind it), t_end (s) and pml_size. As j-Wave lays its absorbing layer into the grid, pml_size voxels
            were added on every side, which repeat the outermost ones. alpha_coeff (dB/(MHz^y cm)) and alpha_power are
            there for your own scripts: j-Wave's solver in time knows no attenuation.
            Air has a density of 400 instead of 1.2 kg/m3, because the solver is unstable at so
            large a step; the border to tissue still reflects 85 % of the amplitude.
run.py      writes pressure.npz: the pressure of each sensor, from the front to the back, and the time in s.
"""
_PML = 10


def write_jwave(phantom: Phantom, folder: Path) -> None:
    """Write acoustic properties, a pulse and sensors for j-Wave; see `write_simulator`."""
    found = acoustics_of(phantom, _PROGRAM)
    around = [
        np.pad(each, _PML, mode="edge")
        for each in (found.sound_speed_m_s, found.density_kg_m3, found.attenuation_db_cm)
    ]
    with atomic_path(folder / "medium.npz") as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            sound_speed=around[0],
            density=around[1],
            alpha_coeff=around[2],
            alpha_power=found.attenuation_power,
            p0=np.pad(found.pulse(), _PML),
            spacing=found.grid.spacing_mm / 1000,
            sensors=found.line + _PML,
            t_end=found.duration_s(),
            pml_size=_PML,
        )
    write_geometry(folder, found.grid.part([-_PML] * 3, around[0].shape[::-1]), TOWARDS)
    write_run(folder, _SCRIPT, program=_PROGRAM, install="pip install jwave", about=_ABOUT, towards=TOWARDS)
