"""Folders that simulators run as they are: X-ray, light, ultrasound, photoacoustics and particles.

Imports the files of `export`, its materials and its phantom.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "registry": ["SIMULATORS", "SimulatorFiles", "write_simulator"],
    },
)
