"""A phantom for k-Wave: ultrasound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.export.phantom import Phantom

from .acoustics import TOWARDS, acoustics_of
from .folder import write_geometry, write_run

_PROGRAM = "k-Wave"
_HEADER = b"MATLAB 5.0 MAT-file by ThyroidSynth"

_SCRIPT = """
import numpy as np
from kwave.kgrid import kWaveGrid
from kwave.kmedium import kWaveMedium
from kwave.ksensor import kSensor
from kwave.ksource import kSource
from kwave.kspaceFirstOrder import kspaceFirstOrder
from scipy.io import loadmat

data = loadmat("medium.mat", squeeze_me=True)
medium = kWaveMedium(
    sound_speed=data["sound_speed"], density=data["density"], alpha_coeff=data["alpha_coeff"],
    alpha_power=float(data["alpha_power"]), alpha_mode="no_dispersion",
)
grid = kWaveGrid(data["sound_speed"].shape, data["spacing"])
grid.makeTime(medium.sound_speed, 0.3, float(data["t_end"]))
source, sensor = kSource(), kSensor(data["sensor_mask"])
source.p0 = data["p0"]
result = kspaceFirstOrder(grid, medium, source, sensor, pml_size=10, backend="python", dtype="float32", quiet=True)
pressure = result["p"]
np.savez("pressure.npz", pressure=pressure, time=np.arange(pressure.shape[1]) * grid.dt)
print(f"{pressure.shape[0]} sensors, {pressure.shape[1]} times, largest pressure {np.abs(pressure).max():.3g}")
"""

_ABOUT = """
medium.mat  arrays [x, y, z] that k-Wave takes, for Python and MATLAB: sound_speed (m/s), density (kg/m3), alpha_coeff
            (dB/(MHz^y cm)), alpha_power (y, one for all; the coefficients are exact at 1 MHz), spacing (m), p0 (a pulse
            under the skin before the thickest place of the thyroid), sensor_mask (the line from there to the first
            bone or air behind it) and t_end (s). Air has a density of 400 instead of 1.2 kg/m3, because the solver is
            unstable at so large a step; the border to tissue still reflects 85 % of the amplitude.
run.py      writes pressure.npz: the pressure of each sensor, from the back to the front, and the time in s. Voxels of
            1 mm carry frequencies up to about 0.7 MHz; use smaller ones (--spacing) for higher frequencies.
"""


def write_kwave(phantom: Phantom, folder: Path) -> None:
    """Write acoustic properties, a pulse and sensors for k-Wave; see `write_simulator`."""
    from scipy.io import savemat

    found = acoustics_of(phantom, _PROGRAM)
    mask = np.zeros(found.sound_speed_m_s.shape, dtype=np.uint8)
    mask[tuple(found.line.T)] = 1
    arrays = {
        "sound_speed": found.sound_speed_m_s,
        "density": found.density_kg_m3,
        "alpha_coeff": found.attenuation_db_cm,
        "alpha_power": found.attenuation_power,
        "spacing": found.grid.spacing_mm / 1000,
        "p0": found.pulse(),
        "sensor_mask": mask,
        "t_end": found.duration_s(),
    }
    with atomic_path(folder / "medium.mat") as temporary:
        savemat(temporary, arrays, do_compression=True)
        # In place of the time, so that the same phantom gives the same bytes: a cohort is continued by them.
        with temporary.open("r+b") as stream:
            stream.write(_HEADER.ljust(116))
    write_geometry(folder, found.grid, TOWARDS)
    write_run(folder, _SCRIPT, program=_PROGRAM, install="pip install k-wave-python", about=_ABOUT, towards=TOWARDS)
