"""Ultrasound: how long a pulse takes through the thyroid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from environments import Environment
from phantoms import Written
from pictures import Panel
from table import Row

SLOW_M_S = 1300.0
"""Speed of sound of the thyroid in the second phantom, which a table of materials gives to the command."""


_NEAR = 5


def slow_table(path: Path) -> Path:
    """Write the table of materials with a slower thyroid."""
    path.write_text(f"material,sound_speed_m_s\nthyroid,{SLOW_M_S:g}\n")
    return path


def wave_rows(program: str, environment: Environment, usual: Written, slow: Written) -> tuple[list[Row], list[Panel]]:
    """Return the time of a pulse along the line of the sensors, and how much a slower thyroid delays it."""
    line, arrivals = _line(program, usual), []
    for phantom in (usual, slow):
        environment.run(phantom.simulator(program) / "run.py")
        with np.load(phantom.simulator(program) / "pressure.npz") as data:
            pressure, time = data["pressure"], data["time"]
        if program == "kwave":
            pressure = pressure[::-1]
        arrivals.append([_first_peak_s(each, time) for each in pressure])
        if phantom is usual:
            panel = _picture(program, pressure, time, line)
    found, late = (np.array(each) for each in arrivals)
    expected, late_expected = (_times_s(phantom, line) for phantom in (usual, slow))
    # Near the source the pulse has no front yet.
    far = slice(_NEAR, len(line) - 1)
    slope = np.polyfit(expected[far], found[far], 1)[0]
    whole = expected[far][-1] - expected[far][0]
    behind = slice(_behind(usual, line), len(line) - 1)
    delay, known = np.median((late - found)[behind]), np.median((late_expected - expected)[behind])
    length = np.linalg.norm(line[far][-1] - line[far][0])
    return [
        Row(
            environment.version(),
            f"time of a pulse on the {length:.0f} mm through and behind the thyroid",
            f"{1e6 * slope * whole:.2f} µs",
            f"{1e6 * whole:.2f} µs by the label map and the table of materials",
            bool(abs(slope - 1) < 0.03),
        ),
        Row(
            environment.version(),
            f"delay behind the thyroid if its speed of sound is {SLOW_M_S:g} m/s instead of "
            f"{usual.material('thyroid')['sound_speed_m_s']:g} m/s (the wave is as long as the thyroid is thick)",
            f"{1e6 * delay:.1f} µs",
            f"{1e6 * known:.1f} µs along a straight line, of which a bent wave has a third or more",
            bool(1 / 3 < delay / known < 1.5),
        ),
    ], [panel]


def _picture(program: str, pressure: np.ndarray, time: np.ndarray, line: np.ndarray) -> Panel:
    scale = np.abs(pressure).max(axis=1, keepdims=True)
    return Panel(
        f"{'j-Wave' if program == 'jwave' else 'k-Wave'}: pressure along the line",
        (pressure / np.where(scale > 0, scale, 1)).T,
        "RdBu_r",
        "relative to each sensor's largest",
        extent=(0, float(np.linalg.norm(line[-1] - line[0])), time[-1] * 1e6, 0),
        names=("depth in mm", "time in µs"),
    )


def _times_s(phantom: Written, line: np.ndarray) -> np.ndarray:
    """Return the time that a wave takes from the first sensor to each, by the labels and the table of materials."""
    table = json.loads((phantom.folder / "materials.json").read_text())
    i, j, k = np.rint(phantom.labels.to_ijk(line)).astype(int).T
    structures = [phantom.names.get(int(label), "air") for label in phantom.labels.array[k, j, i]]
    slowness = np.array([1 / table["materials"][table["structures"][each]]["sound_speed_m_s"] for each in structures])
    step_m = np.linalg.norm(line[1] - line[0]) / 1000
    return np.concatenate([[0.0], np.cumsum(step_m * (slowness[:-1] + slowness[1:]) / 2)])


def _line(program: str, phantom: Written) -> np.ndarray:
    """Return the positions of the sensors in `ras_mm` from the front to the back."""
    folder = phantom.simulator(program)
    matrix = np.array(json.loads((folder / "geometry.json").read_text())["index_to_ras_mm"])
    if program == "jwave":
        with np.load(folder / "medium.npz") as data:
            index = data["sensors"]
    else:
        from scipy.io import loadmat

        index = np.argwhere(loadmat(folder / "medium.mat")["sensor_mask"])[::-1]
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def _behind(phantom: Written, line: np.ndarray) -> int:
    """Return the first sensor that lies behind the thyroid by two voxels."""
    i, j, k = np.rint(phantom.thyroid.to_ijk(line)).astype(int).T
    return int(np.flatnonzero(phantom.thyroid.array[k, j, i] > 0)[-1]) + 2


def _first_peak_s(pressure: np.ndarray, time: np.ndarray) -> float:
    """Return when the first peak of at least 0.3 of the largest comes, between the steps of time; NaN if none does."""
    least = 0.3 * pressure[5:].max()
    for at in range(3, len(pressure) - 1):
        before, peak, after = pressure[at - 1 : at + 2]
        if peak > least and before <= peak > after:
            return float(time[at] + (time[1] - time[0]) * 0.5 * (before - after) / (before - 2 * peak + after))
    return float("nan")
