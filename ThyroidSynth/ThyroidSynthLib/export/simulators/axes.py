"""Arrays with axes along the patient's, for programs that know no direction of axes."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

_DIRECTIONS = {
    "R": (1, 0, 0),
    "L": (-1, 0, 0),
    "A": (0, 1, 0),
    "P": (0, -1, 0),
    "S": (0, 0, 1),
    "I": (0, 0, -1),
}
# Spacings of a file are rounded; a simulator that takes one number for two axes shifts 500 voxels by less than one.
_EQUAL_SPACING = 1e-3


def reoriented(volume: Volume, towards: str) -> Volume:
    """Return a volume with its axes exchanged and mirrored, without any change of a voxel's place or value.

    Parameters
    ----------
    volume : Volume
        Array [k, j, i].
    towards : str
        Where i, j and k increase to, such as ``"LPS"``: one letter of each of R/L, A/P and S/I. If the axes are
        oblique, the nearest ones are taken.
    """
    directions = np.array([_DIRECTIONS[letter] for letter in towards], dtype=np.float64)
    cosines = directions @ (volume.ijk_to_ras[:3, :3] / volume.spacing_mm)
    order = max(permutations(range(3)), key=lambda axes: sum(abs(cosines[n, axis]) for n, axis in enumerate(axes)))
    array, matrix = volume.array.transpose([2 - order[2], 2 - order[1], 2 - order[0]]), np.eye(4)
    matrix[:3, 3] = volume.ijk_to_ras[:3, 3]
    for new, old in enumerate(order):
        step = volume.ijk_to_ras[:3, old]
        matrix[:3, new] = step
        if cosines[new, old] < 0:
            array = np.flip(array, axis=2 - new)
            matrix[:3, new] = -step
            matrix[:3, 3] += step * (array.shape[2 - new] - 1)
    return Volume(np.ascontiguousarray(array), matrix)


def cubic_spacing_mm(grid: Grid, program: str) -> float:
    """Return the edge of cubic voxels in mm; `InputError` with the name of the program if they are no cubes."""
    spacing = grid.spacing_mm
    if spacing.max() > spacing.min() * (1 + _EQUAL_SPACING):
        edges = " x ".join(f"{edge:.4g}" for edge in spacing)
        raise InputError(f"{program} takes cubic voxels only, but those of the phantom are {edges} mm. Use --spacing.")
    return float(spacing.mean())
