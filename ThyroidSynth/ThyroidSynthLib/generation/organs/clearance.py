"""Move the code of an organ so that it keeps clear of structures that are there already."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.trained_model import OrganModel

# Spacing of the points of a structure, and most of them at which the organ is evaluated.
_SPACING_MM, _MOST_POINTS = 1.5, 4000
# Distance that is kept, and its SD: how dearly the organ's code is moved for it.
_GAP_MM, _SD_MM = 0.3, 0.1
_ROUNDS = 12
_SMALL_STEP_SD = 1e-2


def points_of(surface: Surface, within: Frame | None = None) -> np.ndarray:
    """Return points (n, 3) in and on a closed surface, at which another organ must not be.

    Those of a long structure are better chosen `within` the box of the frame of the organs.
    """
    grid = Grid.around(surface, spacing_mm=_SPACING_MM, margin_mm=_SPACING_MM)
    inside = grid.to_ras(np.argwhere(voxelise(surface, grid).array)[:, ::-1])
    points = np.concatenate([inside, surface.vertices])
    if within is not None:
        points = points[_near_box(points, within)]
    return points[:: max(1, len(points) // _MOST_POINTS)]


def _near_box(points_mm: np.ndarray, frame: Frame) -> np.ndarray:
    lower, upper = frame.lower_mm - _GAP_MM, frame.upper_mm + _GAP_MM
    return np.all((points_mm >= lower) & (points_mm <= upper), axis=1)


def cleared(organ: OrganModel, code: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """Return the most likely code near a code (code_size,) whose organ lies clear of points (n, 3) in `trachea_mm`.

    A step is small for a likely change of the code, in the distribution of the training codes. Where no likely code
    keeps clear, some overlap is left.
    """
    frame, space = organ.frame, CodeSpace.of_codes(organ.codes.astype(np.float64))
    near = points_mm[_near_box(points_mm, frame)]
    points, scale = frame.to_unit(near), float(frame.scale_mm[0])
    start = np.asarray(code, dtype=np.float64)
    found = start.copy()
    for _ in range(_ROUNDS):
        values, _, slope = Field(organ, found).derivatives(points)
        missing = values * scale - _GAP_MM
        touched = missing < 0
        if not touched.any():
            break
        error, jacobian = missing[touched] / _SD_MM, slope[touched].astype(np.float64) * scale / _SD_MM
        # Points of one place say the same, so that they count as some dozens.
        share = min(1.0, 50 / len(error))
        gradient = share * jacobian.T @ error + space.precision @ (found - start)
        step = np.linalg.solve(share * jacobian.T @ jacobian + space.precision, -gradient)
        found = found + step
        if space.length(step) < _SMALL_STEP_SD:
            break
    return found
