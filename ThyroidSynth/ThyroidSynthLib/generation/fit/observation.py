"""What a segmentation says of where a gland's surface runs, and what it does not say.

A fit compares a model with two kinds of points. On and around the surface that the voxels suggest, the
signed distance is known as exactly as the voxels are small in the direction in which the surface faces:
across thick slices it may be off by a good part of their distance. And at the voxels' centres the side of
the surface is known, however thick the slices are. Beyond the scan nothing is known: where the scan's
border cuts a gland, the cut face is no surface, and no point lies on it.
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
from ThyroidSynthLib.geometry.scan_border import BEYOND_SHARE, cut_sides
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

_SURFACE_POINTS = 3000
_NEARBY_POINTS = 1500
_NEARBY_SD = 0.05
# Voxel centres next to the surface, and anywhere in the box of the training surfaces.
_SIDES = 3000
_SIDES_ANYWHERE = 1000
# More of them, not so near to the surface, that are looked at only once a fit is found.
_SIDES_IN_RESERVE = 12_000
_CLEAR = 3
# Of a cut gland at least so many points must lie in the scan.
_FEWEST_POINTS = 100
# Voxels that a surface is filled with to tell what is far from it.
_SPACING_MM = 1.5
# Error of the signed distance that a good fit has, in the `unit` frame, and that of a voxel's centre being
# on its side; and the share of the points that tell something of their own, since neighbours err together.
_ERROR_SD = 0.01
_SIDE_SD = 0.002
_SHARE = 600 / (_SURFACE_POINTS + _NEARBY_POINTS)
# Of a cut gland they tell less: what a model misses in the scan it must not make up for beyond it.
_CUT_SHARE = 0.2
# A side next to the surface may be wrong where the segmentation leaks or was bitten, and is doubted nearly as
# soon as a distance; elsewhere there is no doubt, or a fit could grow where nothing is.
_SIDE_PATIENCE, _FAR_PATIENCE = 1.5, 10.0
# A surface is known to this share of a voxel's side along that side: its SD, evenly spread over the voxel.
_VOXEL_SHARE = 12**-0.5
# A gland is continued by so many voxels beyond the scan that cuts it, so that its surface is not rounded there.
_CONTINUED = 4


@dataclass(frozen=True)
class Observation:
    """Points at which something is known of a gland's signed distance.

    Attributes
    ----------
    points_mm : ndarray, shape (n, 3)
        In `trachea_mm`; those on the surface first.
    target : ndarray, shape (n,)
        Signed distance in the `unit` frame; 0 on the surface.
    side : ndarray, shape (n,)
        0 where the distance is known. Where only its sign is, 1 outside and -1 inside.
    error_sd : ndarray, shape (n,)
        How far off the distance may be, one SD, in the `unit` frame.
    patience : ndarray, shape (n,)
        How many times further off than an ordinary point it must be to be doubted.
    on_surface : int
        How many points lie on the surface.
    share : float
        Share of the points that tell something of their own: neighbours err together.
    surface : Surface
        What the voxels suggest, in `trachea_mm`; where the scan cuts the gland, continued beyond it.
    cut : bool
        Whether the scan's border cuts the gland.
    reserve : sides of voxels, optional
        See `contradicted`.
    """

    points_mm: np.ndarray
    target: np.ndarray
    side: np.ndarray
    error_sd: np.ndarray
    patience: np.ndarray
    on_surface: int
    share: float
    surface: Surface
    cut: bool = False
    reserve: _Sides | None = None

    @classmethod
    def of_surface(cls, surface: Surface, frame: Frame, rng: np.random.Generator) -> Observation:
        """Take points of a surface in `trachea_mm` that is known everywhere alike."""
        points, target, _ = _drawn(surface, frame, rng)
        known = np.ones(len(points))
        seen = cls(points, target, 0 * known, _ERROR_SD * known, known, _SURFACE_POINTS, _SHARE, surface)
        if not surface.is_closed():
            return seen
        filled = voxelise(surface, Grid.around(surface, spacing_mm=_SPACING_MM))
        sides = _Sides.drawn(filled, Placement(np.eye(4)), frame, rng)
        # The surface itself says more than voxels next to it.
        sides = sides.chosen(sides.patience == _FAR_PATIENCE)
        return replace(seen, reserve=sides.chosen(sides.reserved))._with(sides.chosen(~sides.reserved))

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
        """Take points of a mask, trusted as far as its voxels tell.

        Parameters
        ----------
        mask : Volume
            Non-zero voxels are the gland, in `ras_mm`.
        placement : Placement
            The patient's trachea frame.
        scan : Grid, optional
            The scan that the gland was segmented in; without it nothing is taken to be cut.

        Raises
        ------
        InputError
            Hardly any of the gland is in the scan.
        ValueError
            The mask is empty.
        """
        gland, cut = _continued(mask, scan)
        surface = surface_from_mask(gland)
        surface = surface.moved(placement.to_trachea(surface.vertices))
        points, target, normal = _drawn(surface, frame, rng)
        sides_mm = gland.ijk_to_ras[:3, :3].T @ placement.trachea_to_ras[:3, :3]
        voxel_mm = _VOXEL_SHARE * np.linalg.norm(normal @ sides_mm.T, axis=1)
        # A plane of normal n has the normal S n in the `unit` frame, S being the scale.
        error_sd = np.hypot(_ERROR_SD, voxel_mm / np.linalg.norm(normal * frame.scale_mm, axis=1))
        known = np.ones(len(points), dtype=bool)
        if cut:
            # The nearest surface of a point may lie beyond the scan if its border is as near.
            known = scan.depth_mm(placement.to_ras(points)) >= np.abs(target) * frame.scale_mm.max()
            if known.sum() < _FEWEST_POINTS:
                raise InputError(
                    "So little of the gland is in the scan that nobody can say which gland it is part of. Choose a "
                    "scan that shows more of it."
                )
        sides = _Sides.drawn(gland, placement, frame, rng)
        if cut:
            within = scan.depth_mm(placement.to_ras(sides.points_mm)) >= -BEYOND_SHARE * gland.spacing_mm.min()
            sides = sides.chosen(within)
        return cls(
            points_mm=points[known],
            target=target[known],
            side=np.zeros(known.sum()),
            error_sd=error_sd[known],
            patience=np.ones(known.sum()),
            on_surface=int(known[:_SURFACE_POINTS].sum()),
            share=_SHARE * (_CUT_SHARE if cut else 1.0),
            surface=surface,
            cut=cut,
            reserve=sides.chosen(sides.reserved),
        )._with(sides.chosen(~sides.reserved))

    def contradicted(self, signed_distance_at: Callable[[np.ndarray], np.ndarray]) -> Observation | None:
        """Add the voxels of the reserve that a field puts on the wrong side; None when there are none.

        Parameters
        ----------
        signed_distance_at : callable
            Gives the field at points (n, 3) in `trachea_mm`, shape (n,).
        """
        if self.reserve is None:
            return None
        wrong = self.reserve.side * signed_distance_at(self.reserve.points_mm) < 0
        if not wrong.any():
            return None
        return replace(self, reserve=self.reserve.chosen(~wrong))._with(self.reserve.chosen(wrong))

    def _with(self, sides: _Sides) -> Observation:
        count = len(sides.side)
        return replace(
            self,
            points_mm=np.concatenate([self.points_mm, sides.points_mm]),
            target=np.concatenate([self.target, np.zeros(count)]),
            side=np.concatenate([self.side, sides.side]),
            error_sd=np.concatenate([self.error_sd, np.full(count, _SIDE_SD)]),
            patience=np.concatenate([self.patience, sides.patience]),
        )

    def thinned(self, every: int) -> Observation:
        """Keep one of so many points of every kind, and no reserve."""
        kept = slice(None, None, every)
        return replace(
            self,
            points_mm=self.points_mm[kept],
            target=self.target[kept],
            side=self.side[kept],
            error_sd=self.error_sd[kept],
            patience=self.patience[kept],
            on_surface=-(-self.on_surface // every),
            share=min(1.0, self.share * every),
            reserve=None,
        )


@dataclass(frozen=True)
class _Sides:
    """Voxel centres (n, 3) in `trachea_mm` with their sides and patience (n,), and which are a reserve."""

    points_mm: np.ndarray
    side: np.ndarray
    patience: np.ndarray
    reserved: np.ndarray

    @classmethod
    def drawn(cls, gland: Volume, placement: Placement, frame: Frame, rng: np.random.Generator) -> _Sides:
        """Draw voxel centres next to the surface and anywhere; the reserve is not near it."""
        from scipy.ndimage import binary_dilation, binary_erosion

        padded = gland.cropped(margin=_CLEAR + 1)
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
        held = ((kji >= 0) & (kji < inside.shape)).all(axis=1)
        side, clear = np.ones(len(kji)), np.ones(len(kji), dtype=bool)
        side[held] -= 2.0 * inside[tuple(kji[held].T)]
        clear[held] = ~around(_CLEAR)[tuple(kji[held].T)]
        kind = np.repeat([0, 1, 2], [len(near), _SIDES_ANYWHERE, _SIDES_IN_RESERVE])
        patience = np.where(kind == 0, _SIDE_PATIENCE, _FAR_PATIENCE)
        drawn = cls(placement.to_trachea(padded.to_ras(kji[:, ::-1])), side, patience, kind == 2)
        return drawn.chosen(clear | (kind < 2))

    def chosen(self, kept: np.ndarray) -> _Sides:
        return _Sides(self.points_mm[kept], self.side[kept], self.patience[kept], self.reserved[kept])


def _continued(mask: Volume, scan: Grid | None) -> tuple[Volume, bool]:
    """Crop a mask to its gland, and continue it straight on where the scan's border cuts it."""
    gland = mask.cropped()
    sides = cut_sides(gland, scan) if scan is not None else np.zeros((3, 2), dtype=bool)
    if not sides.any():
        return gland, False
    widths = _CONTINUED * sides.astype(int)
    array = np.pad(gland.array, widths, mode="edge")
    return Volume(array, gland.grid.part(-widths[:, 0], array.shape).ijk_to_ras), True


def _drawn(surface: Surface, frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw points on and near a surface in `trachea_mm`: points (n, 3), signed distances (n,), normals (n, 3)."""
    unit = surface.moved(frame.to_unit(surface.vertices))
    on_surface, face = sample_triangles(unit, _SURFACE_POINTS, rng)
    origin = rng.integers(_SURFACE_POINTS, size=_NEARBY_POINTS)
    nearby = on_surface[origin] + rng.normal(scale=_NEARBY_SD, size=(_NEARBY_POINTS, 3))
    target = np.concatenate([np.zeros(_SURFACE_POINTS), signed_distance(unit, nearby)])
    normal = surface.scaled_normals[np.concatenate([face, face[origin]])]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return frame.to_mm(np.concatenate([on_surface, nearby])), target, normal
