"""How the features of a surface change with its latent code: exact shape derivatives.

Where the field f changes by δf, its surface moves along the normal by −δf / |∇f|. Volume changes by
the integral of that motion over the surface, the midsagittal area by the integral along the section's
outline, and the overlap with the mirror image by twice the integral over the part of the surface
inside the mirror image. So the derivatives need the network only on the surface, in one forward and
one backward pass, and hold no soft stand-in for inside and outside.

These derivatives steer; what is reported is always measured on the final surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ThyroidSynthLib.geometry.features import Features, midsagittal_outline
from ThyroidSynthLib.geometry.surface import Surface

_MIRROR = np.array([-1.0, 1.0, 1.0])
# Points per side of the grid on which the midsagittal plane is searched for the nearest tissue.
_PLANE_POINTS = 48
# Points of the surface that the integrals over it are summed over; more change the steps of steering
# by less than a round of it corrects.
_SURFACE_POINTS = 3000
# A bridge as wide as the gap between two lobes would have about this area per mm.
_AREA_PER_GAP_MM = 20.0


class ShapeSdf(Protocol):
    """A field over `trachea_mm`, negative inside, that depends on a latent code.

    Attributes
    ----------
    slope : float
        Typical steepness of the field, per mm.
    """

    slope: float

    def values(self, points_mm: np.ndarray) -> np.ndarray:
        """Give the field at points (n, 3), shape (n,)."""

    def derivatives(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give values (n,), gradients per mm (n, 3) and derivatives by the code (n, code_size)."""


@dataclass(frozen=True)
class Sensitivity:
    """Features of a code and their derivatives.

    Attributes
    ----------
    values : ndarray, shape (3,)
        Volume in mL, signed isthmus area in mm² and symmetry. Two separate lobes have no area, and
        no derivative of it; there the signed area is a negative number that grows with the gap, so
        that steering feels its way towards and away from an isthmus.
    jacobian : ndarray, shape (3, code_size)
        ∂values/∂code.
    """

    values: np.ndarray
    jacobian: np.ndarray


def sensitivity(sdf: ShapeSdf, surface: Surface, measured: Features) -> Sensitivity:
    """Differentiate the features of a surface.

    Parameters
    ----------
    level_set : LevelSet
        The field whose zero level the surface is.
    surface : Surface
        In `trachea_mm`.
    measured : Features
        What was measured on it.
    """
    area, area_slope = _isthmus(sdf, surface, measured.isthmus_area_mm2)
    volume_slope, overlap_slope = _volume_and_overlap(sdf, surface)

    volume_mm3 = measured.volume_ml * 1000.0
    overlap_mm3 = 2 * volume_mm3 * measured.symmetry / (1 + measured.symmetry)
    union_mm3 = 2 * volume_mm3 - overlap_mm3
    symmetry_slope = (2 * volume_mm3 * overlap_slope - 2 * overlap_mm3 * volume_slope) / union_mm3**2
    return Sensitivity(
        values=np.array([measured.volume_ml, area, measured.symmetry]),
        jacobian=np.stack([volume_slope / 1000.0, area_slope, symmetry_slope]),
    )


def _volume_and_overlap(sdf: ShapeSdf, surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Give ∂volume/∂code and ∂overlap/∂code in mm³, each of shape (code_size,)."""
    points, area = _surface_points(surface)
    _, gradient, code = sdf.derivatives(points)
    weight = -area / np.maximum(np.linalg.norm(gradient, axis=1), 1e-3 * sdf.slope)
    shared = sdf.values(points * _MIRROR) < 0
    return weight @ code, 2 * (weight * shared) @ code


def _surface_points(surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Give points spread evenly over a surface (n, 3) and the area (n,) that each stands for."""
    area = np.linalg.norm(surface.scaled_normals, axis=1) / 2
    if len(area) <= _SURFACE_POINTS:
        return surface.corners.mean(axis=1), area
    # Triangles come in the order of the grid, so equal shares of the summed area lie evenly.
    summed = np.cumsum(area)
    chosen = np.searchsorted(summed, (np.arange(_SURFACE_POINTS) + 0.5) / _SURFACE_POINTS * summed[-1])
    return surface.corners[chosen].mean(axis=1), np.full(_SURFACE_POINTS, summed[-1] / _SURFACE_POINTS)


def _isthmus(sdf: ShapeSdf, surface: Surface, area: float) -> tuple[float, np.ndarray]:
    """Give the signed isthmus area in mm² and its derivative, shape (code_size,)."""
    start, end = midsagittal_outline(surface)
    if area > 0 and len(start):
        middle = np.zeros((len(start), 3))
        middle[:, 1:] = (start + end) / 2
        _, gradient, code = sdf.derivatives(middle)
        steepness = np.linalg.norm(gradient[:, 1:], axis=1)
        # Where the outline is flat the area jumps; a floor keeps the step within reason.
        weight = -np.linalg.norm(end - start, axis=1) / np.maximum(steepness, 0.3 * sdf.slope)
        return area, weight @ code
    return _gap(sdf, surface)


def _gap(sdf: ShapeSdf, surface: Surface) -> tuple[float, np.ndarray]:
    """Turn the smallest distance of the midsagittal plane to tissue into a negative area."""
    lower, upper = surface.bounds
    y = np.linspace(lower[1], upper[1], _PLANE_POINTS)
    z = np.linspace(lower[2], upper[2], _PLANE_POINTS)
    plane = np.stack(np.meshgrid([0.0], y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = plane[[np.argmin(sdf.values(plane))]]
    value, _, code = sdf.derivatives(nearest)
    gap_mm = max(float(value[0]), 0.0) / sdf.slope
    return -_AREA_PER_GAP_MM * gap_mm, -_AREA_PER_GAP_MM / sdf.slope * code[0]
