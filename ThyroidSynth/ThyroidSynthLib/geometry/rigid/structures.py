"""The signed distance to rigid structures, such as a trachea, stored on a grid so that looking it up takes no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.overlap import surface_near
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

# Between the points of this grid the distance to a tube of 10 mm is off by 0.03 mm at most; the error grows with the
# square of the spacing.
_SPACING_MM = 1.0
# Room around the surfaces of the training cohort, for thyroids larger than these.
_MARGIN_MM = 12.0
# The exact distance is computed up to so far from a surface; farther away, that to the nearest point inside or outside.
_EXACT_MM = 4.0


@dataclass(frozen=True)
class RigidStructures:
    """The union of structures that a thyroid must not enter.

    Attributes
    ----------
    distance : Volume
        Signed distance in mm to the nearest of them, float32 and negative inside, on a grid in `trachea_mm`.
    """

    distance: Volume

    @classmethod
    def of(cls, structures: Sequence[Volume | Surface], placement: Placement, frame: Frame) -> RigidStructures | None:
        """Return the union of structures where the thyroids of a model can lie.

        Parameters
        ----------
        structures : sequence of Volume or Surface
            Masks or closed surfaces in `ras_mm`.
        placement : Placement
            The patient's trachea frame.
        frame : Frame
            The frame of the model, with the box of its thyroids.

        Returns
        -------
        RigidStructures or None
            None if no structure lies where thyroids can lie.
        """
        return cls.in_box(structures, placement, frame.lower_mm - _MARGIN_MM, frame.upper_mm + _MARGIN_MM)

    @classmethod
    def in_box(
        cls,
        structures: Sequence[Volume | Surface],
        placement: Placement,
        lower_mm: np.ndarray,
        upper_mm: np.ndarray,
        *,
        spacing_mm: float = _SPACING_MM,
    ) -> RigidStructures | None:
        """Return the union of structures, given as in `of`, in a box of `trachea_mm`; None if none lies there."""
        size = np.ceil((upper_mm - lower_mm) / spacing_mm).astype(int) + 1
        matrix = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
        matrix[:3, 3] = lower_mm
        grid = Grid((size[2], size[1], size[0]), matrix)
        room = Surface(placement.to_ras(grid.corners()), np.empty((0, 3)))
        surfaces = [near for structure in structures if (near := surface_near(room, structure)) is not None]
        if not surfaces:
            return None
        in_frame = [surface.moved(placement.to_trachea(surface.vertices)) for surface in surfaces]
        values = np.minimum.reduce([_distance_on(grid, surface) for surface in in_frame])
        return cls(Volume(values, matrix))

    @property
    def width_mm(self) -> float:
        """Diameter of the circle of the same area as the median horizontal section; 0 if none reaches the grid."""
        areas = np.count_nonzero(self.distance.array < 0, axis=(1, 2)) * self._spacing_mm**2
        return float(np.sqrt(np.median(areas[areas > 0]) * 4 / np.pi)) if areas.any() else 0.0

    @property
    def _spacing_mm(self) -> float:
        return float(self.distance.ijk_to_ras[0, 0])

    def distances(self, points_mm: np.ndarray) -> np.ndarray:
        """Return the signed distance (n,) in mm at points (n, 3) in `trachea_mm`, negative inside.

        Beyond the grid it is that at the grid's nearest point.
        """
        from scipy.ndimage import map_coordinates

        kji = (points_mm - self.distance.ijk_to_ras[:3, 3])[:, ::-1].T / self._spacing_mm
        return map_coordinates(self.distance.array, kji, order=1, mode="nearest", output=np.float64)

    def gradients(self, points_mm: np.ndarray) -> np.ndarray:
        """Return the gradient (n, 3) of the distance at points (n, 3) in `trachea_mm`, as unit vectors."""
        steps = 0.5 * self._spacing_mm * np.eye(3)
        slopes = [self.distances(points_mm + step) - self.distances(points_mm - step) for step in steps]
        gradient = np.stack(slopes, axis=1)
        return gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-6)


def _distance_on(grid: Grid, surface: Surface) -> np.ndarray:
    """Return the signed distance to a closed surface at the points of a grid, float32."""
    from scipy.ndimage import distance_transform_edt

    inside = voxelise(surface, grid).array.astype(bool)
    # The surface lies half a spacing from the last point on its side, on average.
    outwards = distance_transform_edt(~inside) if inside.any() else np.full(grid.shape, float(max(grid.shape)))
    values = np.where(inside, 0.5 - distance_transform_edt(inside), outwards - 0.5) * grid.ijk_to_ras[0, 0]
    near = np.abs(values) < _EXACT_MM
    if near.any():
        values[near] = signed_distance(surface, grid.to_ras(np.argwhere(near)[:, ::-1]))
    return values.astype(np.float32)
