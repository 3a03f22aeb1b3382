"""How far two surfaces are apart, in millimetres."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ..anatomy.sampling import sample_surface, signed_distance
from ..anatomy.surface import Surface
from ..synthesis.grid import LabelGrid, voxelise

DICE_SPACING_MM = 1.5


@dataclass(frozen=True)
class SurfaceComparison:
    """The distances between a reference surface and another one.

    Attributes
    ----------
    chamfer_mm : float
        The authors' Chamfer distance: from each vertex to the nearest vertex of the other surface,
        unsquared, mean of either direction, the two means added. Depends on the meshes' resolutions,
        so even a perfect copy does not reach 0; see `evaluation.floor`.
    surface_chamfer_mm : float
        The same sum over points drawn evenly from the areas, to the nearest point of the surface.
    assd_mm : float
        Average symmetric surface distance.
    hd95_mm : float
        Larger of the two directions' 95th percentiles.
    nsd_1mm, nsd_2mm : float
        Share of both surfaces that lies within the tolerance of the other one.
    dice : float or None
        Overlap of the two label maps at 1.5 mm; None where a surface is open and has no inside.
    """

    chamfer_mm: float
    surface_chamfer_mm: float
    assd_mm: float
    hd95_mm: float
    nsd_1mm: float
    nsd_2mm: float
    dice: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Give the distances by name."""
        return asdict(self)


def compare_surfaces(
    reference_mm: Surface, other_mm: Surface, *, points: int = 10_000, seed: int = 0
) -> SurfaceComparison:
    """Compare two surfaces in the same frame in millimetres.

    Parameters
    ----------
    reference_mm, other_mm : Surface
        Surfaces in `trachea_mm` or `ras_mm`.
    points : int
        Points drawn from either surface for the measures over area. Their distances to the other
        surface are exact, so their number only sets the noise.
    seed : int
        Seed of these points.
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
        dice=dice(reference_mm, other_mm),
    )


def chamfer(first: np.ndarray, second: np.ndarray) -> float:
    """Chamfer distance of two point sets (n, 3) and (m, 3) as the authors compute it.

    Both directions' mean distances to the nearest point, not squared, added (not halved).
    """
    from scipy.spatial import cKDTree

    return float(cKDTree(second).query(first)[0].mean() + cKDTree(first).query(second)[0].mean())


def dice(first_mm: Surface, second_mm: Surface, *, spacing_mm: float = DICE_SPACING_MM) -> float | None:
    """Dice overlap of the label maps of two surfaces on a grid of TotalSegmentator's spacing.

    None where one of them is open. Two surfaces that hold no voxel at all overlap by 0.
    """
    if not (first_mm.is_closed() and second_mm.is_closed()):
        return None
    both = Surface(np.concatenate([first_mm.vertices, second_mm.vertices]), np.empty((0, 3)))
    grid = LabelGrid.around(both, spacing_mm=spacing_mm, margin_mm=spacing_mm)
    a, b = (voxelise(surface, grid).array.astype(bool) for surface in (first_mm, second_mm))
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 0.0


def _distances(start: Surface, target: Surface, points: int, rng: np.random.Generator) -> np.ndarray:
    """Distances from points drawn evenly over one surface to another surface."""
    return np.abs(signed_distance(target, sample_surface(start, points, rng)))
