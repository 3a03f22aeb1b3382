"""Measure how a thyroid lies on a trachea or other structures: overlap, gap of the isthmus, and least distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

from .continuation import continued_beyond_scan
from .structures import RigidStructures

# The gap is measured on the surface within this distance of the midsagittal plane, weighted towards the plane.
_MIDLINE_MM = 3.0
# The surface faces a structure if its normal is within 60 degrees of the direction to it.
_FACING = -0.5
# A wall lies beside the gland, not above or below it, if the direction to it is within 30 degrees of horizontal.
_BESIDE = 0.5
_CLEARANCE_SHARE = 0.01
# Least part of the integral of the depth that counts as overlap.
_LEAST_SHARE = 0.5
# No isthmus lies farther from a trachea.
_FAR_MM = 12.0
# The walls of a trachea lie within this distance of the frame's origin, also where it runs obliquely.
_TRACHEA_MM = 18.0
# Margin and spacing of the grid on which a patient's own trachea is measured: coarse, for preparing many cases.
_MARGIN_MM, _SPACING_MM = 4.0, 1.5


@dataclass(frozen=True)
class LyingOn:
    """How a thyroid lies on structures.

    Attributes
    ----------
    overlap_mm3 : float
        Volume of the gland inside them, to first order in its depth. Files and messages report the exact one.
    near_mm3 : float
        The same for the structures grown by the clearance that was given.
    gap_mm : float
        Mean distance to them of the surface at the midsagittal plane that faces them; NaN without an isthmus.
    clearance_mm : float
        Distance below which 1 % of the gland's surface lies.
    """

    overlap_mm3: float
    near_mm3: float
    gap_mm: float
    clearance_mm: float


@dataclass(frozen=True)
class OnTrachea:
    """How a patient's thyroid lies on the patient's own trachea.

    Attributes
    ----------
    width_mm : float
        Width of the trachea, see `RigidStructures.width_mm`.
    clearance_mm, gap_mm : float
        See `LyingOn`; the gap is 0 without an isthmus.
    """

    width_mm: float
    clearance_mm: float
    gap_mm: float

    @classmethod
    def measured(cls, surface: Surface, trachea: Volume, scan: Grid, placement: Placement) -> OnTrachea | None:
        """Measure a closed surface in `trachea_mm` on the mask of a trachea in `ras_mm`, cropped from a scan.

        None if the trachea does not reach the thyroid.
        """
        lower, upper = surface.bounds
        # The trachea belongs to the box as a whole, for its width, also where the thyroid lies beside or before it.
        lower = np.minimum(lower, [-_TRACHEA_MM, -_TRACHEA_MM, np.inf])
        upper = np.maximum(upper, [_TRACHEA_MM, _TRACHEA_MM, -np.inf])
        tube = continued_beyond_scan(trachea, scan)
        near = RigidStructures.in_box([tube], placement, lower - _MARGIN_MM, upper + _MARGIN_MM, spacing_mm=_SPACING_MM)
        if near is None or near.width_mm == 0:
            return None
        lying = lying_on(surface, near)
        return cls(near.width_mm, lying.clearance_mm, 0.0 if np.isnan(lying.gap_mm) else lying.gap_mm)


def lying_on(surface: Surface, structures: RigidStructures, *, clearance_mm: float = 0.0) -> LyingOn:
    """Measure how a closed surface in `trachea_mm` lies on structures."""
    points = surface.corners.mean(axis=1)
    distance = structures.distances(points)
    normals = surface.scaled_normals / 2
    area = np.linalg.norm(normals, axis=1)
    near = np.flatnonzero(distance < max(clearance_mm, 0.0))
    depth = distance[near]
    flux = np.einsum("ij,ij->i", normals[near], structures.gradients(points[near]))
    order = np.argsort(distance)
    rank = np.searchsorted(np.cumsum(area[order]), _CLEARANCE_SHARE * area.sum())
    return LyingOn(
        overlap_mm3=_entered_mm3(depth, flux, area[near]),
        near_mm3=_entered_mm3(depth - clearance_mm, flux, area[near]),
        gap_mm=isthmus_gap_mm(surface, structures),
        clearance_mm=float(distance[order][rank]),
    )


def _entered_mm3(depth: np.ndarray, flux: np.ndarray, area: np.ndarray) -> float:
    """Return the volume in which a gland and structures overlap, to first order in the depth of the surface (n,)."""
    inside = np.minimum(depth, 0.0)
    # The divergence of d ∇d is 1 where the level sets of the distance d are flat. It vanishes for a tube that runs
    # through the gland, into which the surface leads all the same.
    return max(float(flux @ inside), -_LEAST_SHARE * float(area @ inside))


def isthmus_gap_mm(surface: Surface, structures: RigidStructures) -> float:
    """Return the mean distance of the isthmus to structures, see `LyingOn`; NaN without an isthmus."""
    x = surface.vertices[:, 0][surface.faces]
    chosen = near_midline(x.mean(axis=1, keepdims=True))
    part = Surface(surface.vertices, surface.faces[chosen])
    points, normals = part.corners.mean(axis=1), part.scaled_normals / 2
    area = np.linalg.norm(normals, axis=1)
    gradient = structures.gradients(points)
    towards = np.einsum("ij,ij->i", normals, gradient) / np.maximum(area, 1e-12)
    distance = structures.distances(points)
    share = area * isthmus_weights(points, gradient, towards) * (distance < _FAR_MM)
    sides = x[chosen] < 0
    joined = ((sides.any(axis=1) & ~sides.all(axis=1)) * share).any()
    return float(share @ distance / share.sum()) if joined else float("nan")


def near_midline(points_mm: np.ndarray) -> np.ndarray:
    """Return which points (n, 1 or more) in `trachea_mm` may have a weight in the isthmus's gap, bool (n,)."""
    return np.abs(points_mm[:, 0]) < _MIDLINE_MM


def isthmus_weights(points_mm: np.ndarray, gradient: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Return the weights (n,) of points of a surface in the mean of the isthmus's gap.

    Points (n, 3) in `trachea_mm` count if they lie near the midsagittal plane and face a wall beside them: `gradient`
    (n, 3) is that of the distance, and `towards` (n,) its component along the outward normal.
    """
    facing = (towards < _FACING) & (np.abs(gradient[:, 2]) < _BESIDE)
    return facing * np.maximum(1.0 - np.abs(points_mm[:, 0]) / _MIDLINE_MM, 0.0)
