"""Compute exact shape derivatives: how the features of a surface change with its latent code.

Where the field f changes by δf, its surface moves along the normal by −δf / |∇f|. The volume changes by the integral
of that motion over the surface, the isthmus area by its integral along the outline of the midsagittal section, and the
overlap with the mirror image by twice its integral over the part of the surface inside the mirror image. The network
is therefore evaluated on the surface only, in one forward and one backward pass, and no smooth approximation of inside
and outside is needed. How the surface moves towards or away from other structures follows from the same motion.

The derivatives are used for steering only; reported features are measured on the final surface.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ThyroidSynthLib.geometry.features import Features, midsagittal_outline
from ThyroidSynthLib.geometry.surface import Surface

_MIRROR = np.array([-1.0, 1.0, 1.0])
# Points along each axis of the grid in the midsagittal plane on which the point nearest to the gland is searched.
_PLANE_POINTS = 48
# Points over which surface integrals are summed. More change a steering step by less than the next step corrects.
_SURFACE_POINTS = 3000
AREA_PER_GAP_MM = 20.0
"""mm² of negative area per mm of gap: about the area per mm of width of a bridge between two lobes."""


class ShapeSdf(Protocol):
    """An SDF over `trachea_mm` that depends on a latent code; `slope` is its typical steepness, per mm."""

    slope: float

    def values(self, points_mm: np.ndarray) -> np.ndarray:
        """Return the field at points (n, 3), shape (n,)."""
        ...

    def derivatives(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values (n,), gradients per mm (n, 3) and derivatives by the code (n, code_size)."""
        ...


@dataclass(frozen=True)
class SurfaceMotion:
    """How points spread evenly over a surface move with its code.

    Attributes
    ----------
    points_mm : ndarray, shape (n, 3)
        In `trachea_mm`.
    normals : ndarray, shape (n, 3)
        Outward unit vectors.
    area_mm2 : ndarray, shape (n,)
        Area that each point represents.
    per_code : ndarray, shape (n, code_size)
        Motion along the normal, in mm per unit of the code.
    """

    points_mm: np.ndarray
    normals: np.ndarray
    area_mm2: np.ndarray
    per_code: np.ndarray

    def after(self, change: np.ndarray) -> SurfaceMotion:
        """Return the same points where a change of the code (code_size,) takes them, to first order."""
        return replace(self, points_mm=self.points_mm + self.normals * (self.per_code @ change)[:, None])


@dataclass(frozen=True)
class Sensitivity:
    """Features of a code and their derivatives.

    Attributes
    ----------
    values : ndarray, shape (3,)
        Volume in mL, signed isthmus area in mm² and symmetry. For two separate lobes the area is 0 and has no
        derivative; the signed area is then negative, in proportion to the gap between them, so that steering
        can close and open the gap.
    jacobian : ndarray, shape (3, code_size)
        ∂values/∂code.
    motion : SurfaceMotion
        Motion of the surface, from which the derivatives of contact with other structures follow.
    """

    values: np.ndarray
    jacobian: np.ndarray
    motion: SurfaceMotion


def feature_sensitivity(sdf: ShapeSdf, surface: Surface, measured: Features) -> Sensitivity:
    """Compute the derivatives by the latent code of the features measured on a surface in `trachea_mm`.

    The surface is the zero level of the field.
    """
    area, area_slope = _isthmus(sdf, surface, measured.isthmus_area_mm2)
    motion = _motion(sdf, surface)
    volume_slope = motion.area_mm2 @ motion.per_code
    shared = sdf.values(motion.points_mm * _MIRROR) < 0
    overlap_slope = 2 * (motion.area_mm2 * shared) @ motion.per_code

    volume_mm3 = measured.volume_ml * 1000.0
    overlap_mm3 = 2 * volume_mm3 * measured.symmetry / (1 + measured.symmetry)
    union_mm3 = 2 * volume_mm3 - overlap_mm3
    symmetry_slope = (2 * volume_mm3 * overlap_slope - 2 * overlap_mm3 * volume_slope) / union_mm3**2
    return Sensitivity(
        values=np.array([measured.volume_ml, area, measured.symmetry]),
        jacobian=np.stack([volume_slope / 1000.0, area_slope, symmetry_slope]),
        motion=motion,
    )


def _motion(sdf: ShapeSdf, surface: Surface) -> SurfaceMotion:
    points, area = _surface_points(surface)
    _, gradient, code = sdf.derivatives(points)
    steepness = np.linalg.norm(gradient, axis=1)[:, None]
    normals = gradient / np.maximum(steepness, 1e-12)
    return SurfaceMotion(points, normals, area, -code / np.maximum(steepness, 1e-3 * sdf.slope))


def _surface_points(surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Return evenly spread points (n, 3) of a surface and the area (n,) that each represents."""
    area = np.linalg.norm(surface.scaled_normals, axis=1) / 2
    if len(area) <= _SURFACE_POINTS:
        return surface.corners.mean(axis=1), area
    # Triangles are in the order of the grid, so equal shares of the cumulative area are spread evenly.
    cumulative = np.cumsum(area)
    share = cumulative[-1] / _SURFACE_POINTS
    chosen = np.searchsorted(cumulative, (np.arange(_SURFACE_POINTS) + 0.5) * share)
    return surface.corners[chosen].mean(axis=1), np.full(_SURFACE_POINTS, share)


def _isthmus(sdf: ShapeSdf, surface: Surface, area: float) -> tuple[float, np.ndarray]:
    """Return the signed isthmus area in mm² and its derivative, shape (code_size,)."""
    start, end = midsagittal_outline(surface)
    if area > 0 and len(start):
        middle = np.zeros((len(start), 3))
        middle[:, 1:] = (start + end) / 2
        _, gradient, code = sdf.derivatives(middle)
        steepness = np.linalg.norm(gradient[:, 1:], axis=1)
        # Where the field is flat along the outline, the derivative diverges; a lower limit keeps it finite.
        weight = -np.linalg.norm(end - start, axis=1) / np.maximum(steepness, 0.3 * sdf.slope)
        return area, weight @ code
    return _gap(sdf, surface)


def _gap(sdf: ShapeSdf, surface: Surface) -> tuple[float, np.ndarray]:
    """Return the distance from the midsagittal plane to the gland as a negative area, and its derivative."""
    lower, upper = surface.bounds
    y = np.linspace(lower[1], upper[1], _PLANE_POINTS)
    z = np.linspace(lower[2], upper[2], _PLANE_POINTS)
    plane = np.stack(np.meshgrid([0.0], y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = plane[[np.argmin(sdf.values(plane))]]
    value, _, code = sdf.derivatives(nearest)
    gap_mm = max(float(value[0]), 0.0) / sdf.slope
    return -AREA_PER_GAP_MM * gap_mm, -AREA_PER_GAP_MM / sdf.slope * code[0]
