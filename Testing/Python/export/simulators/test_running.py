"""A folder runs in its simulator as it was written, and the figure that comes out is right."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.export.materials import standard_materials
from ThyroidSynthLib.export.phantom import Phantom
from ThyroidSynthLib.export.simulators import write_simulator
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap

SLOW_M_S, EDGE_MM, LAYER = 1300.0, 1.5, slice(10, 22)
"""Speed of sound in the slower thyroid, edge of the voxels, and where the thyroid lies along j."""


@pytest.mark.skipif(importlib.util.find_spec("jwave") is None, reason="j-Wave is in requirements/dev.txt: make setup")
def test_jwave_delays_a_pulse_by_a_layer_of_known_thickness(tmp_path: Path) -> None:
    usual = layered_phantom()
    thyroid = usual.materials.materials["thyroid"]
    slower = usual.materials.with_materials({"thyroid": replace(thyroid, sound_speed_m_s=SLOW_M_S)})

    (early, time), (late, late_time) = (
        run_jwave(phantom, tmp_path / name)
        for name, phantom in (("usual", usual), ("slow", replace(usual, materials=slower)))
    )

    thickness_m = (LAYER.stop - LAYER.start) * EDGE_MM / 1000
    known_s = thickness_m * (1 / SLOW_M_S - 1 / thyroid.sound_speed_m_s)
    behind = slice(-LAYER.start + 2, -3)
    pairs = zip(early[behind], late[behind], strict=True)
    delays = [delay_s(first, second, time, late_time) for first, second in pairs]
    # The layer is hardly longer than the wave, which does not follow straight lines exactly.
    assert np.median(delays) == pytest.approx(known_s, rel=0.08)


def layered_phantom() -> Phantom:
    """Return a block of muscle with a layer of thyroid across it."""
    array = np.full((18, 34, 18), 202, dtype=np.uint8)
    array[:, LAYER] = 17
    labels = LabelMap(Volume(array, np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0])), {17: "thyroid_gland", 202: "muscle"})
    return Phantom(labels, standard_materials())


def run_jwave(phantom: Phantom, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the pressure of each sensor from the front to the back, and the times."""
    write_simulator("jwave", phantom, folder)
    subprocess.run([sys.executable, str(folder / "run.py")], check=True, capture_output=True, timeout=600)
    with np.load(folder / "pressure.npz") as found:
        return found["pressure"], found["time"]


def delay_s(first: np.ndarray, second: np.ndarray, time: np.ndarray, second_time: np.ndarray) -> float:
    """Return by how much the first pulse comes later, by the largest correlation."""
    fine = np.linspace(0, min(time[-1], second_time[-1]), 20 * len(time))
    first, second = np.interp(fine, time, first), np.interp(fine, second_time, second)
    peak, width = int(np.argmax(first > 0.6 * first.max())), int(6e-6 / fine[1])
    window = slice(max(peak - width, 0), peak + width)
    scores = [np.dot(first[window], np.roll(second, -shift)[window]) for shift in range(width)]
    return int(np.argmax(scores)) * float(fine[1])
