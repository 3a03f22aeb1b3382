"""Distances and overlap between two surfaces: Chamfer, ASSD, HD95, NSD and Dice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.voxelisation import voxelise

DICE_SPACING_MM = 1.5


@dataclass(frozen=True)
class SurfaceComparison:
    """Distances and overlap between a reference surface and another one.

    Attributes
    ----------
    chamfer_mm : float
        The authors' Chamfer distance: the sum of both directions' mean distances from a vertex to the nearest vertex
        of the other surface. It depends on the meshes, so even a perfect copy on another mesh does not reach 0; see
        `reconstruction.perfect_reconstruction`.
    surface_chamfer_mm : float
        The same sum for points sampled uniformly over the areas, to the nearest point of the other surface.
    assd_mm : float
        Average symmetric surface distance.
    hd95_mm : float
        95th percentile of the surface distance, the larger of the two directions.
    nsd_1mm, nsd_2mm : float
        Normalised surface distance: share of both surfaces that lies within the tolerance of the other one.
    dice : float or None
        Dice coefficient of the two label maps at 1.5 mm, in the voxels of the case's own mask if they are known; None
        if a surface is open and has no inside.
    """

    chamfer_mm: float
    surface_chamfer_mm: float
    assd_mm: float
    hd95_mm: float
    nsd_1mm: float
    nsd_2mm: float
    dice: float | None


@dataclass(frozen=True)
class PointComparison:
    """Distances of points on a reference surface to another surface; nothing is known between the points.

    Attributes
    ----------
    points_mean_mm, points_p95_mm : float
        Mean and 95th percentile of the distances.
    dice, assd_mm, hd95_mm : None
        The measures of a `SurfaceComparison`, which points do not show.
    """

    points_mean_mm: float
    points_p95_mm: float
    dice: None = None
    assd_mm: None = None
    hd95_mm: None = None


def compare_points(points_mm: np.ndarray, surface_mm: Surface) -> PointComparison:
    """Compare points (n, 3) with a surface in the same frame."""
    distances = np.abs(signed_distance(surface_mm, points_mm))
    return PointComparison(float(distances.mean()), float(np.percentile(distances, 95)))


def compare_surfaces(
    reference_mm: Surface,
    other_mm: Surface,
    *,
    points: int = 10_000,
    seed: int = 0,
    lattice: np.ndarray | None = None,
) -> SurfaceComparison:
    """Compare two surfaces in the same frame.

    Parameters
    ----------
    reference_mm, other_mm : Surface
        Surfaces in `trachea_mm` or `ras_mm`.
    points : int
        Points sampled on either surface for the measures over area. Their distances to the other surface are exact,
        so their number determines only the noise.
    seed : int
        Seed of these points.
    lattice : ndarray, shape (4, 4), optional
        Voxels for the Dice coefficient, see `dice`.
    """
    rng = np.random.default_rng(seed)
    outward = _distances(reference_mm, other_mm, points, rng)
    back = _distances(other_mm, reference_mm, points, rng)
    both = np.concatenate([outward, back])
    return SurfaceComparison(
        chamfer_mm=chamfer(reference_mm.vertices, other_mm.vertices),
        surface_chamfer_mm=float(outward.mean() + back.mean()),
        assd_mm=float(both.mean()),
        hd95_mm=float(max(np.percentile(outward, 95), np.percentile(back, 95))),
        nsd_1mm=float((both <= 1.0).mean()),
        nsd_2mm=float((both <= 2.0).mean()),
        dice=dice(reference_mm, other_mm, lattice=lattice),
    )


def chamfer(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Chamfer distance of two point sets (n, 3) and (m, 3) as the authors compute it.

    It is the sum (not the mean) of both directions' mean distances (not squared) to the nearest point.
    """
    from scipy.spatial import cKDTree

    return float(cKDTree(second).query(first)[0].mean() + cKDTree(first).query(second)[0].mean())


def dice(first_mm: Surface, second_mm: Surface, *, lattice: np.ndarray | None = None) -> float | None:
    """Return the Dice coefficient of the label maps of two surfaces.

    It is None if one of them is open, and 0 if neither contains a voxel's centre.

    Parameters
    ----------
    lattice : ndarray, shape (4, 4), optional
        Maps voxel indices (i, j, k, 1) to the surfaces' frame. By default TotalSegmentator's spacing along the axes.
    """
    if not (first_mm.is_closed() and second_mm.is_closed()):
        return None
    if lattice is None:
        lattice = np.diag([DICE_SPACING_MM, DICE_SPACING_MM, DICE_SPACING_MM, 1.0])
    grid = _grid_around(np.concatenate([first_mm.vertices, second_mm.vertices]), lattice)
    a, b = (voxelise(surface, grid).array.astype(bool) for surface in (first_mm, second_mm))
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 0.0


def assd(first_mm: Surface, second_mm: Surface, *, points: int = 1000, seed: int = 0) -> float:
    """Return the average symmetric surface distance in mm alone, from `points` points on either surface."""
    rng = np.random.default_rng(seed)
    outward, back = _distances(first_mm, second_mm, points, rng), _distances(second_mm, first_mm, points, rng)
    return float((outward.mean() + back.mean()) / 2)


def _grid_around(points: np.ndarray, lattice: np.ndarray) -> Grid:
    """Return the part of an unbounded lattice that holds points (n, 3)."""
    one_voxel = Grid((1, 1, 1), lattice)
    ijk = one_voxel.to_ijk(points)
    first, last = np.floor(ijk.min(axis=0)) - 1, np.ceil(ijk.max(axis=0)) + 1
    return one_voxel.part(first[::-1], (last - first + 1)[::-1])


def _distances(start: Surface, end: Surface, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return the distances from points sampled uniformly over one surface to another surface."""
    return np.abs(signed_distance(end, sample_surface(start, points, rng)))
