"""The diameters of nodules as they are measured on a label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid, box_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise


@dataclass(frozen=True)
class MeasuredNodule:
    """A nodule on a label map.

    Attributes
    ----------
    diameters_mm : tuple of three floats
        Extents of its voxels along its three axes; 0 if it has no voxel.
    voxel_mm : tuple of three floats
        Size of a voxel along these axes, of which the diameters are exact to a half.
    volume_ml : float
        Volume of its voxels, with those of its calcification.
    met : bool
        Whether each diameter is within half a voxel of its target.
    """

    diameters_mm: tuple[float, float, float]
    voxel_mm: tuple[float, float, float]
    volume_ml: float
    met: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the measures as a JSON document states them."""
        return {
            "diameters_mm": [round(each, 3) for each in self.diameters_mm],
            "voxel_mm": [round(each, 3) for each in self.voxel_mm],
            "volume_ml": round(self.volume_ml, 4),
            "met": self.met,
        }


def voxel_along(grid: Grid, axes: np.ndarray) -> np.ndarray:
    """Return the size of a voxel (3,) in mm along directions, the columns of `axes` (3, 3) in `ras_mm`.

    It is the distance of neighbouring layers of voxels that a direction crosses most steeply: along an axis of the grid
    the spacing, and less between the axes, where the outermost voxel centres lie closer to the surface.
    """
    steps = np.abs(grid.ijk_to_ras[:3, :3].T @ axes)
    return steps.max(axis=0)


def diameters_of_voxels(inside: np.ndarray, grid: Grid, axes: np.ndarray) -> np.ndarray:
    """Return the extents (3,) in mm of voxels along directions, the columns of `axes` (3, 3) in `ras_mm`.

    `inside` (nk, nj, ni) is true inside. Without any voxel the extents are 0.
    """
    found = np.argwhere(inside)[:, ::-1]
    if len(found) == 0:
        return np.zeros(3)
    along = grid.to_ras(found) @ axes
    return np.ptp(along, axis=0) + voxel_along(grid, axes)


def measure_nodules(
    labels: Volume,
    nodules: Sequence[tuple[int, Surface, np.ndarray, Sequence[float]]],
    *,
    calcification: int | None = None,
) -> list[MeasuredNodule]:
    """Measure nodules on a label map.

    Parameters
    ----------
    labels : Volume
        Label map.
    nodules : sequence of tuple
        Of each nodule its label, its surface in `ras_mm`, its axes (3, 3) and its diameters in mm.
    calcification : int, optional
        The label of calcification. What of it lies in a nodule belongs to the nodule.
    """
    found = []
    for label, surface, axes, diameters in nodules:
        inside = labels.array == label
        if calcification is not None:
            inside = inside | ((labels.array == calcification) & (voxelise(surface, labels.grid).array != 0))
        box = box_of(inside)
        part = labels.part(box)
        measured = diameters_of_voxels(inside[box], part.grid, axes)
        voxel = voxel_along(labels.grid, axes)
        met = bool((np.abs(measured - np.asarray(diameters)) <= voxel / 2 + 1e-6).all())
        volume = int(inside.sum()) * labels.voxel_volume_ml
        found.append(MeasuredNodule(_three(measured), _three(voxel), volume, met))
    return found


def _three(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third
