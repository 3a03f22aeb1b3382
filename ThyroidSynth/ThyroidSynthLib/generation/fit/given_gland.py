"""The gland that a model is fitted to, and the components of a model's shape that it does not have.

A model that has seen two lobes in nearly all cases tends to add a rest of the other lobe to a single one. A component
of a fit that holds nothing of the given gland, where the scan shows that there is none, is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ThyroidSynthLib.generation.thyroid import Thyroid, Validity
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

_SPACING_MM = 1.0
# A component belongs to the gland if at least this share of it lies in the gland.
_MIN_SHARED = 0.05
# Points are demanded to be outside in an extra component and within this distance around it, where not in the gland.
_MARGIN_MM = 2.0
_MAX_POINTS = 2000


@dataclass(frozen=True)
class GivenGland:
    """A gland that a model is fitted to.

    Attributes
    ----------
    surface : Surface
        In `trachea_mm`, continued beyond the scan where that cuts the gland.
    scan : Grid, optional
        Grid of the scan, beyond which nothing is known; None if the gland is whole.
    placement : Placement, optional
        The patient's trachea frame; given with the scan.
    """

    surface: Surface
    scan: Grid | None = None
    placement: Placement | None = None

    def extra_points(self, surface: Surface) -> np.ndarray:
        """Return points (n, 3) in and close around the extra components of a shape in the frame of the gland."""
        from scipy.ndimage import binary_dilation

        points = [np.empty((0, 3))]
        for component, extra in self._judged(surface):
            if extra:
                grid = Grid.around(component, spacing_mm=_SPACING_MM, margin_mm=_MARGIN_MM + _SPACING_MM)
                grown = binary_dilation(voxelise(component, grid).array, iterations=round(_MARGIN_MM / _SPACING_MM))
                found = self._shown(grid.to_ras(np.argwhere(grown)[:, ::-1]))
                points.append(found[~self._holds(found)])
        joined = np.concatenate(points)
        return joined[:: max(1, -(-len(joined) // _MAX_POINTS))]

    def without_extra(self, thyroid: Thyroid, shift_mm: float = 0.0) -> tuple[Thyroid, float]:
        """Return a shape without its extra components, measured anew, and their volume in mL.

        Without any it is the same object. `shift_mm` raises the shape along the third axis to the frame of the gland.
        """
        up = np.array([0.0, 0.0, shift_mm])
        judged = self._judged(thyroid.surface.moved(thyroid.surface.vertices + up))
        extra_ml = sum(component.volume for component, extra in judged if extra) / 1000
        if not any(extra for _, extra in judged):
            return thyroid, 0.0
        surface = Surface.joined([component.moved(component.vertices - up) for component, extra in judged if not extra])
        cleaned = replace(
            thyroid,
            surface=surface,
            measured=measure_features(surface),
            validity=Validity.of(surface, touches_box=thyroid.validity.touches_box),
        )
        return cleaned, extra_ml

    def _judged(self, surface: Surface) -> list[tuple[Surface, bool]]:
        """Return the components of a shape, each with whether it is extra; a shape of which all are has none."""
        label = surface.components()
        if label.max(initial=0) == 0 or not surface.is_closed() or not self.surface.is_closed():
            return [(surface, False)]
        judged = []
        for number in range(label.max() + 1):
            used, faces = np.unique(surface.faces[label == number], return_inverse=True)
            component = Surface(surface.vertices[used], faces)
            judged.append((component, self._is_extra(component)))
        return judged if not all(extra for _, extra in judged) else [(surface, False)]

    def _is_extra(self, component: Surface) -> bool:
        grid = Grid.around(component, spacing_mm=_SPACING_MM)
        points = grid.to_ras(np.argwhere(voxelise(component, grid).array)[:, ::-1])
        # A component may be smaller than a voxel. A cavity is no component of its own.
        points = self._shown(points if len(points) else component.vertices)
        return component.volume > 0 and len(points) > 0 and self._holds(points).mean() < _MIN_SHARED

    def _shown(self, points: np.ndarray) -> np.ndarray:
        """Return those of some points (n, 3) that the scan shows."""
        if self.scan is None or self.placement is None:
            return points
        return points[self.scan.contains(self.placement.to_ras(points))]

    def _holds(self, points: np.ndarray) -> np.ndarray:
        """Check which points (n, 3) are in the gland, to a voxel; bool, shape (n,)."""
        kji = np.rint(self._filled.to_ijk(points)).astype(int)[:, ::-1]
        within = ((kji >= 0) & (kji < self._filled.array.shape)).all(axis=1)
        inside = np.zeros(len(points), dtype=bool)
        inside[within] = self._filled.array[tuple(kji[within].T)] != 0
        return inside

    @cached_property
    def _filled(self) -> Volume:
        return voxelise(self.surface, Grid.around(self.surface, spacing_mm=_SPACING_MM))
