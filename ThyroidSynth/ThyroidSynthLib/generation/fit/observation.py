"""Observe a segmented gland: the points at which its signed distance, or only its sign, is known.

A fit compares a model with two kinds of points. On and near the surface of the segmentation the signed distance is
known with an error that depends on the voxel size along the surface normal, so it is large across thick slices. At
voxel centres the side of the surface is known, for any slice thickness. Nothing is known beyond the scan: where
the scan's border cuts a gland, the cut face is not part of its surface and has no points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.sampling import sample_triangles, signed_distance
from ThyroidSynthLib.geometry.scan_border import BEYOND_SHARE, continued, cut_sides
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

from .given_gland import GivenGland
from .point_cloud import PointCloud

_SURFACE_POINTS = 3000
_NEARBY_POINTS = 1500
_NEARBY_SD = 0.05
# Voxel centres next to the surface, and anywhere in the box of the training surfaces.
_SIDES = 3000
_SIDES_ANYWHERE = 1000
# Further ones, at least so many voxels from the surface, that are checked only after a fit.
_SIDES_IN_RESERVE = 12_000
_RESERVE_DISTANCE_VOXELS = 3
# Smallest number of points of a cut gland that must lie in the scan.
_MIN_POINTS = 100
# Voxel size for filling a surface, to find the sides of points far from it.
_SPACING_MM = 1.5
# SD in the `unit` frame of the signed distance in a good fit, and of the sides of voxel centres.
_ERROR_SD = 0.01
_SIDE_SD = 0.002
# Share of the points that count as independent, since the errors of neighbours are correlated.
_INDEPENDENT_SHARE = 600 / (_SURFACE_POINTS + _NEARBY_POINTS)
# Factor of that share for a cut gland, so that the fit does not compensate errors in the scan by its part beyond it.
_CUT_FACTOR = 0.2
# Scales of the robust loss for sides, relative to that for distances. Sides next to the surface may be wrong where the
# segmentation has a leak or a gap. Those far from it are reliable and keep the fit from growing there.
_SIDE_TOLERANCE, _FAR_TOLERANCE = 1.5, 10.0
# That of points in components of a fit that the gland does not have.
_EXTRA_TOLERANCE = 30.0
# SD of a uniform distribution over a voxel, in voxels.
_VOXEL_SD = 12**-0.5


@dataclass(frozen=True)
class Observation:
    """Points at which a gland's signed distance or its sign is known.

    Attributes
    ----------
    points_mm : ndarray, shape (n, 3)
        In `trachea_mm`; the points on the surface come first.
    target : ndarray, shape (n,)
        Signed distance in the `unit` frame; 0 on the surface.
    side : ndarray, shape (n,)
        0 where the distance is known; where only its sign is known, 1 outside and -1 inside.
    error_sd : ndarray, shape (n,)
        SD of the distance in the `unit` frame.
    tolerance : ndarray, shape (n,)
        Scale of the robust loss at a point, relative to that of a known distance.
    on_surface : int
        Number of points on the surface.
    independent_share : float
        Share of the points that count as independent, since the errors of neighbours are correlated.
    gland : GivenGland
        The segmented gland.
    cut : bool
        Whether the scan's border cuts the gland.
    reserve : sides of voxels, optional
        Sides that are checked after a fit; see `contradicted`.
    """

    points_mm: np.ndarray
    target: np.ndarray
    side: np.ndarray
    error_sd: np.ndarray
    tolerance: np.ndarray
    on_surface: int
    independent_share: float
    gland: GivenGland
    cut: bool = False
    reserve: _Sides | None = None

    @classmethod
    def of_surface(cls, surface: Surface, frame: Frame, rng: np.random.Generator) -> Observation:
        """Return the observation of a surface in `trachea_mm` that is known equally well everywhere."""
        points, target, _ = _drawn(surface, frame, rng)
        known = np.ones(len(points))
        gland = GivenGland(surface)
        seen = cls(points, target, 0 * known, _ERROR_SD * known, known, _SURFACE_POINTS, _INDEPENDENT_SHARE, gland)
        if not surface.is_closed():
            return seen
        filled = voxelise(surface, Grid.around(surface, spacing_mm=_SPACING_MM))
        sides = _Sides.drawn(filled, Placement(np.eye(4)), frame, rng)
        # The surface itself is more exact than the sides of voxels next to it.
        sides = sides.chosen(sides.tolerance == _FAR_TOLERANCE)
        return replace(seen, reserve=sides.chosen(sides.reserved))._with(sides.chosen(~sides.reserved))

    @classmethod
    def of_points(cls, cloud: PointCloud, frame: Frame, rng: np.random.Generator) -> Observation:
        """Return the observation of points on a surface, of which the inside is known as far as they enclose it."""
        chosen = rng.permutation(len(cloud.points_mm))[: _SURFACE_POINTS + _NEARBY_POINTS]
        count = len(chosen)
        points_mm, side = cloud.sides(frame, _SIDES // 2, rng)
        sides = _Sides(points_mm, side, np.full(len(side), _FAR_TOLERANCE), np.zeros(len(side), dtype=bool))
        return cls(
            points_mm=cloud.points_mm[chosen],
            target=np.zeros(count),
            side=np.zeros(count),
            error_sd=np.full(count, _ERROR_SD),
            tolerance=np.ones(count),
            on_surface=count,
            independent_share=min(1.0, _INDEPENDENT_SHARE * (_SURFACE_POINTS + _NEARBY_POINTS) / count),
            gland=GivenGland(cloud.surface or Surface(cloud.points_mm, np.empty((0, 3)))),
        )._with(sides)

    @classmethod
    def of_mask(
        cls,
        mask: Volume,
        placement: Placement,
        frame: Frame,
        rng: np.random.Generator,
        *,
        scan: Grid | None = None,
    ) -> Observation:
        """Return the observation of a mask in `ras_mm`, with errors that follow from its voxel size.

        Without the grid of the scan the gland is assumed to be whole. `InputError` if too little of the gland is in the
        scan, `ValueError` if the mask is empty.
        """
        gland = mask.cropped()
        cut = np.zeros((3, 2), dtype=bool) if scan is None else cut_sides(gland, scan)
        gland = continued(gland, cut)
        surface = surface_from_mask(gland)
        surface = surface.moved(placement.to_trachea(surface.vertices))
        points, target, normal = _drawn(surface, frame, rng)
        sides_mm = gland.ijk_to_ras[:3, :3].T @ placement.trachea_to_ras[:3, :3]
        voxel_mm = _VOXEL_SD * np.linalg.norm(normal @ sides_mm.T, axis=1)
        # A plane of normal n has the normal S n in the `unit` frame, S being the scale.
        error_sd = np.hypot(_ERROR_SD, voxel_mm / np.linalg.norm(normal * frame.scale_mm, axis=1))
        known = np.ones(len(points), dtype=bool)
        sides = _Sides.drawn(gland, placement, frame, rng)
        if scan is not None and cut.any():
            # If the border is nearer than the surface, the nearest surface may lie beyond the scan.
            known = scan.depth_mm(placement.to_ras(points)) >= np.abs(target) * frame.scale_mm.max()
            if known.sum() < _MIN_POINTS:
                raise InputError(
                    "Too little of the thyroid lies in the scan to complete it. Choose a scan that shows more of it."
                )
            depth_mm = scan.depth_mm(placement.to_ras(sides.points_mm))
            sides = sides.chosen(depth_mm >= -BEYOND_SHARE * gland.spacing_mm.min())
        return cls(
            points_mm=points[known],
            target=target[known],
            side=np.zeros(known.sum()),
            error_sd=error_sd[known],
            tolerance=np.ones(known.sum()),
            on_surface=int(known[:_SURFACE_POINTS].sum()),
            independent_share=_INDEPENDENT_SHARE * (_CUT_FACTOR if cut.any() else 1.0),
            gland=GivenGland(surface, scan, placement) if cut.any() else GivenGland(surface),
            cut=bool(cut.any()),
            reserve=sides.chosen(sides.reserved),
        )._with(sides.chosen(~sides.reserved))

    def contradicted(self, signed_distance_at: Callable[[np.ndarray], np.ndarray]) -> Observation | None:
        """Return the observation with the reserve voxels that a field puts on the wrong side; None if there are none.

        The field is a function of points (n, 3) in `trachea_mm`.
        """
        if self.reserve is None:
            return None
        wrong = self.reserve.side * signed_distance_at(self.reserve.points_mm) < 0
        if not wrong.any():
            return None
        return replace(self, reserve=self.reserve.chosen(~wrong))._with(self.reserve.chosen(wrong))

    def with_outside(self, points_mm: np.ndarray) -> Observation:
        """Return the observation with points (n, 3) that are known to lie outside of the gland."""
        count = len(points_mm)
        sides = _Sides(points_mm, np.ones(count), np.full(count, _EXTRA_TOLERANCE), np.zeros(count, dtype=bool))
        return self._with(sides)

    def _with(self, sides: _Sides) -> Observation:
        count = len(sides.side)
        return replace(
            self,
            points_mm=np.concatenate([self.points_mm, sides.points_mm]),
            target=np.concatenate([self.target, np.zeros(count)]),
            side=np.concatenate([self.side, sides.side]),
            error_sd=np.concatenate([self.error_sd, np.full(count, _SIDE_SD)]),
            tolerance=np.concatenate([self.tolerance, sides.tolerance]),
        )

    def thinned(self, every: int) -> Observation:
        """Return the observation with one in `every` points, and no reserve."""
        kept = slice(None, None, every)
        return replace(
            self,
            points_mm=self.points_mm[kept],
            target=self.target[kept],
            side=self.side[kept],
            error_sd=self.error_sd[kept],
            tolerance=self.tolerance[kept],
            on_surface=-(-self.on_surface // every),
            independent_share=min(1.0, self.independent_share * every),
            reserve=None,
        )


@dataclass(frozen=True)
class _Sides:
    """Voxel centres (n, 3) in `trachea_mm`; their sides, tolerances and whether they are a reserve, each (n,)."""

    points_mm: np.ndarray
    side: np.ndarray
    tolerance: np.ndarray
    reserved: np.ndarray

    @classmethod
    def drawn(cls, gland: Volume, placement: Placement, frame: Frame, rng: np.random.Generator) -> _Sides:
        """Draw voxel centres next to the surface and anywhere in the box, and the reserve away from the surface."""
        from scipy.ndimage import binary_dilation, binary_erosion

        padded = gland.cropped(margin=_RESERVE_DISTANCE_VOXELS + 1)
        inside = padded.array != 0
        block = np.ones((3, 3, 3), dtype=bool)

        def around(steps: int) -> np.ndarray:
            return binary_dilation(inside, block, steps) & ~binary_erosion(inside, block, steps)

        near = np.argwhere(around(1))
        near = near[rng.permutation(len(near))[:_SIDES]]
        count = _SIDES_ANYWHERE + _SIDES_IN_RESERVE
        anywhere_mm = frame.lower_mm + rng.random((count, 3)) * (frame.upper_mm - frame.lower_mm)
        anywhere = np.rint(padded.to_ijk(placement.to_ras(anywhere_mm))).astype(int)[:, ::-1]
        kji = np.concatenate([near, anywhere])
        in_grid = ((kji >= 0) & (kji < inside.shape)).all(axis=1)
        side, distant = np.ones(len(kji)), np.ones(len(kji), dtype=bool)
        side[in_grid] -= 2.0 * inside[tuple(kji[in_grid].T)]
        distant[in_grid] = ~around(_RESERVE_DISTANCE_VOXELS)[tuple(kji[in_grid].T)]
        kind = np.repeat([0, 1, 2], [len(near), _SIDES_ANYWHERE, _SIDES_IN_RESERVE])
        tolerance = np.where(kind == 0, _SIDE_TOLERANCE, _FAR_TOLERANCE)
        drawn = cls(placement.to_trachea(padded.to_ras(kji[:, ::-1])), side, tolerance, kind == 2)
        return drawn.chosen(distant | (kind < 2))

    def chosen(self, kept: np.ndarray) -> _Sides:
        return _Sides(self.points_mm[kept], self.side[kept], self.tolerance[kept], self.reserved[kept])


def _drawn(surface: Surface, frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw points (n, 3) on and near a surface in `trachea_mm`, with signed distances (n,) and normals (n, 3)."""
    unit = surface.moved(frame.to_unit(surface.vertices))
    on_surface, face = sample_triangles(unit, _SURFACE_POINTS, rng)
    origin = rng.integers(_SURFACE_POINTS, size=_NEARBY_POINTS)
    nearby = on_surface[origin] + rng.normal(scale=_NEARBY_SD, size=(_NEARBY_POINTS, 3))
    target = np.concatenate([np.zeros(_SURFACE_POINTS), signed_distance(unit, nearby)])
    normal = surface.scaled_normals[np.concatenate([face, face[origin]])]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return frame.to_mm(np.concatenate([on_surface, nearby])), target, normal
