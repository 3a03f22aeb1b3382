"""How a CT is painted: motion, infill, and the new gland with its nodules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.nodules.building import BuiltNodule
from ThyroidSynthLib.geometry.resampling import resampled
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import volume_fractions

from .gland_values import CALCIFICATION_HU, CYST_HU, GlandValues, measure_gland_values, nodule_hu
from .infill import TISSUE_HU, as_stored, filled, noise_of, smoothed, soft_tissue
from .point_spread import estimate_point_spread, widened_to_gland
from .texture import smooth_noise
from .warping import Displacement, sources_of, warped_ct

SYNTHETIC = "Synthetic CT: the thyroid was changed by ThyroidSynth"
"""What the header of every painted CT says."""

# What is kept around the glands and the motion: enough tissue for its statistics, and the airway for the point spread.
_MARGIN_MM = 25.0
# Where the share of the gland in a voxel changes by less than this, the CT already shows it.
_UNCHANGED = 0.05
# Above this share of the old gland a voxel is filled; below it, the gland's part is subtracted.
_FILLED_ABOVE = 0.3
# Below this share of the old gland a voxel shows the tissue around it well enough to fill others with it.
_TISSUE_BELOW = 0.15
# The segmentation may miss a rim of the gland of this width, which is filled if it is as bright as the gland.
_MISSED_MM = 4.0
# Contrast between gland and tissue, in standard deviations of the noise of smoothed values, that shows such a rim.
_SHOWN_SD = 3.0
_MISSED_SMOOTHING_MM = 1.0
# How far from the gland's mean such a rim may be: in HU, or as a share of the gland's contrast to muscle.
_ALIKE_HU, _ALIKE_SHARE, _MUSCLE_HU = 20.0, 0.35, 55.0
# Share of the voxels just beside the segmentation that must look like the gland.
_MISSED_SHARE = 0.25
# What is finer than this in tissue counts as noise.
_NOISE_BELOW_MM = 2.0
_AIR_HU, _BONE_HU = -300.0, 300.0
_PURE_AIR_HU = -1000.0
# Size of the cystic parts of a mixed nodule, as a share of its least diameter.
_POCKETS = 0.12
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class PaintedCt:
    """A painted CT.

    Attributes
    ----------
    volume : Volume
        On the grid of the CT, with its type of voxels; only voxels near the gland and in the motion differ.
    notes : tuple of str
        Remarks for the user.
    document : dict
        What was measured for it: mean and standard deviation of the gland in HU, point spread, and share of voxels
        that changed.
    """

    volume: Volume
    notes: tuple[str, ...]
    document: dict[str, Any]


def paint_ct(
    ct: Volume,
    before: Surface | None,
    after: Surface,
    *,
    nodules: Sequence[BuiltNodule] = (),
    neighbours: Volume | None = None,
    rigid: Volume | None = None,
    motion: Displacement | None = None,
    kept: Volume | None = None,
    seed: int,
    point_spread_mm: Sequence[float] | None = None,
) -> PaintedCt:
    """Paint a CT that shows another gland than it did.

    Parameters
    ----------
    ct : Volume
        In HU, in `ras_mm`; it is not changed.
    before : Surface or None
        Closed surface in `ras_mm` of the gland that the CT shows, such as that of its segmentation
        (`surface_from_mask`); None if it shows none. Where both glands are the same, the CT stays as it is.
    after : Surface
        Closed surface of the new gland in `ras_mm`, with its nodules.
    nodules : sequence of BuiltNodule
        Nodules in the new gland.
    neighbours : Volume, optional
        Non-zero in structures that are no gland, before the motion; on any grid. They are not filled.
    rigid : Volume, optional
        Non-zero in structures that the motion leaves in their place, such as the trachea; on any grid.
    motion : Displacement, optional
        The motion of the tissue around the gland.
    kept : Volume, optional
        Non-zero where another structure keeps its place although the new gland reaches into it; on any grid. It is not
        painted over.
    seed : int
        Random seed of the noise.
    point_spread_mm : three floats, optional
        Standard deviation of the scanner's point spread along i, j and k; by default it is estimated.

    Raises
    ------
    InputError
        The new gland lies outside the CT, or the CT has no soft tissue, as if it were not in HU.
    """
    rng = np.random.default_rng(seed)
    painted = Volume(ct.array.copy(), ct.ijk_to_ras)
    # All work is near the glands and the motion; a part shares its voxels with the whole.
    spread_mm, edges = np.asarray(point_spread_mm, dtype=np.float64), -1
    if point_spread_mm is None:
        spread_mm, edges = estimate_point_spread(ct.part(_box(ct, before, after, None)))
    near = painted.part(_box(ct, before, after, motion))
    work = _Work(near, before, neighbours, rigid, motion, rng, spread_mm)
    result = as_stored(work.painted(after, nodules, kept), ct.array.dtype)
    changed = result != near.array
    near.array[...] = result
    unsharp = "The CT shows no airway near the thyroid, so its sharpness is taken as usual (0.6 voxels)."
    notes = tuple(filter(None, (work.values.note, unsharp if edges == 0 else "")))
    return PaintedCt(
        painted,
        notes,
        {
            "statement": SYNTHETIC,
            "gland_mean_hu": round(work.values.mean_hu, 1),
            "gland_sd_hu": round(work.values.texture.sd, 1),
            "gland_values": "published" if work.values.note else "measured in the patient's gland",
            "point_spread_mm": [round(float(each), 3) for each in spread_mm],
            "changed_ml": round(int(changed.sum()) * ct.voxel_volume_ml, 3),
            "seed": seed,
        },
    )


class _Work:
    """The part of a CT near the gland, as it is painted."""

    def __init__(
        self,
        near: Volume,
        before: Surface | None,
        neighbours: Volume | None,
        rigid: Volume | None,
        motion: Displacement | None,
        rng: np.random.Generator,
        spread_mm: np.ndarray,
    ) -> None:
        self._near, self._rng = near, rng
        self._spread_mm, self._sigma = spread_mm, (spread_mm / near.spacing_mm)[::-1]
        self._spacing = near.spacing_mm[::-1]
        grid = near.grid
        own = np.zeros(grid.shape, dtype=np.float32) if before is None else volume_fractions(before, grid)
        inside = own > 0.5
        others = np.zeros(grid.shape, dtype=bool) if neighbours is None else resampled(neighbours, grid).array != 0
        others &= ~inside
        hu = near.array.astype(np.float32)
        # What touches the gland is partly gland.
        tissue = soft_tissue(hu, self._grown(inside, 2.0) | others)
        smooth = smoothed(hu, tissue, _NOISE_BELOW_MM / self._spacing)
        self.tissue_texture = noise_of(hu, smooth, tissue, self._spacing)
        self._middle_hu, self._darkest_hu = (float(each) for each in np.percentile(hu[tissue], (50, 2)))
        self.values: GlandValues = measure_gland_values(hu, inside, self._spacing, self.tissue_texture)
        if not self.values.note:
            factor, contrast = widened_to_gland(
                hu, inside, others | (hu < TISSUE_HU[0]), self.values.mean_hu, self._sigma
            )
            self._sigma = self._sigma * factor
            # Without the part of what surrounds the gland, by which the point spread changes its values inside.
            whole = hu + np.where(inside, (1 - self._blurred(own)) * contrast, 0)
            self.values = measure_gland_values(whole, inside, self._spacing, self.tissue_texture)
        fixed = None if rigid is None else resampled(rigid, grid).array != 0
        index, self._moved = sources_of(motion, grid, fixed)
        self._hu = warped_ct(hu, index, self._moved, tissue, rng)
        self._old = self._warped(self._blurred(own), index, order=1)
        self._others = self._warped(others.astype(np.uint8), index, order=0) > 0
        self._inside = self._old > 0.5

    def painted(self, after: Surface, nodules: Sequence[BuiltNodule], kept: Volume | None) -> np.ndarray:
        """Return the voxels with the new gland, float64."""
        grid = self._near.grid
        whole = volume_fractions(after, grid)
        if kept is not None:
            whole[resampled(kept, grid).array != 0] = 0
        # A gland that touches the airway must not fill it, however blurred its edge is.
        new = np.minimum(self._blurred(whole), 1 - self._air_share())
        region = self._grown(np.abs(new - self._old) > _UNCHANGED, 2.0 * float(self._spread_mm.max()))
        # In the gland, stretched noise would show.
        region |= self._moved & (np.maximum(new, self._old) > _LEAST_SHARE)
        shares, contrasts = self._nodules(nodules, whole)
        if nodules:
            region |= sum(shares) > _LEAST_SHARE / 2
        if not region.any():
            return self._hu
        background = self._background(region, new)
        gland = self.values
        value = (1 - new) * background + new * gland.mean_hu + sum(contrasts, np.zeros(grid.shape))
        # A mixture of independent noises would have less noise than either; what lacks is added with the texture.
        tissue_variance = self.tissue_texture.sd**2
        gland_variance = gland.texture.sd**2
        lacking = (1 - new) * tissue_variance + new * gland_variance - (1 - new) ** 2 * tissue_variance
        texture = gland.texture.draw(grid.shape, self._rng)
        value += np.sqrt(np.maximum(lacking, 0) / max(gland_variance, 1e-6)) * texture
        return np.where(region, value, self._hu)

    def _air_share(self) -> np.ndarray:
        """Return the share of air in voxels of the airway and at its border."""
        share = (self._middle_hu - self._hu) / (self._middle_hu - _PURE_AIR_HU)
        return np.where(self._hu < _AIR_HU, np.clip(share, 0, 1), 0)

    def _background(self, region: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Return the CT without the old gland, where it is painted, float64."""
        hu = self._hu.astype(np.float64)
        middle = self._middle_hu
        gone = region & (self._old - new > _UNCHANGED)
        fill = region & (self._old > _FILLED_ABOVE) | self._missed(gone, self.values.mean_hu - middle)
        fill &= ~(self._others & (self._old < 0.5)) & (hu > _AIR_HU)
        # Voxels that are partly old gland get the value of the rest of them.
        partly = (self._old > _LEAST_SHARE) & (self._old <= _FILLED_ABOVE) & (hu > _AIR_HU)
        share = self._old[partly]
        unmixed = hu.copy()
        unmixed[partly] = (hu[partly] - share * self.values.mean_hu) / (1 - share)
        # Where the segmentation is larger than the gland, that would be too dark for any tissue.
        unmixed[partly] = np.maximum(unmixed[partly], np.minimum(hu[partly], self._darkest_hu))
        hu[region & partly] = unmixed[region & partly]
        if not fill.any():
            return hu
        # The old gland must not take the layer around it out of the tissue, so it counts as tissue first.
        gland = (self._old > _TISSUE_BELOW) | fill
        tissue = soft_tissue(np.where(gland, middle, unmixed), self._others) & ~gland
        return filled(np.where(partly, unmixed, hu), fill, tissue, self._spacing, self._rng, calm=True)

    def _missed(self, gone: np.ndarray, contrast: float) -> np.ndarray:
        """Return the rim of the gland that its segmentation missed, where the gland goes away."""
        from scipy.ndimage import binary_propagation

        sigma = _MISSED_SMOOTHING_MM / self._spacing
        smooth = smoothed(self._hu, np.ones(self._hu.shape, dtype=bool), sigma)
        noise = self.tissue_texture.sd / np.sqrt(np.prod(2 * np.sqrt(np.pi) * np.maximum(sigma, 0.3)))
        if contrast < _SHOWN_SD * noise or not gone.any():
            return np.zeros(gone.shape, dtype=bool)
        # Muscle and cartilage beside the gland must not count as gland.
        tolerance = max(_ALIKE_HU, _ALIKE_SHARE * (self.values.mean_hu - _MUSCLE_HU))
        bright = np.abs(smooth - self.values.mean_hu) < tolerance
        free = ~self._others & (self._hu < _BONE_HU)
        # Beside a gland that is segmented well only single spots look like it: cartilage, and vessels with contrast.
        inner = 1.5 * float(self._spread_mm.max())
        shell = self._grown(self._inside, inner + float(self._spacing.max())) & ~self._grown(self._inside, inner) & free
        if not shell.any() or bright[shell].mean() < _MISSED_SHARE:
            return np.zeros(gone.shape, dtype=bool)
        rim = self._grown(gone, _MISSED_MM) & free & bright
        rim &= binary_propagation(self._inside & gone, mask=rim | (self._inside & gone))
        # With its blurred edge.
        return self._grown(rim, 2.0 * float(self._spread_mm.max())) & free

    def _nodules(self, nodules: Sequence[BuiltNodule], whole: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the blurred share of each nodule, and what it adds to the HU of a gland."""
        gland_hu = self.values.mean_hu
        shares, contrasts = [], []
        for built in nodules:
            share = np.minimum(volume_fractions(built.surface, self._near.grid), whole)
            solid = nodule_hu("solid", gland_hu)
            hu = np.full(share.shape, nodule_hu(built.nodule.composition, gland_hu))
            if built.nodule.composition == "mixed":
                size = _POCKETS * min(built.nodule.diameters_mm) / self._spacing
                hu = np.where(smooth_noise(share.shape, size, self._rng) > 0, CYST_HU, solid)
            change = share * (hu - gland_hu)
            if built.calcification is not None:
                hard = np.minimum(volume_fractions(built.calcification, self._near.grid), share)
                change = change + hard * (CALCIFICATION_HU - hu)
            shares.append(self._blurred(share))
            contrasts.append(self._blurred(change.astype(np.float32)))
        return shares, contrasts

    def _grown(self, mask: np.ndarray, distance_mm: float) -> np.ndarray:
        from scipy.ndimage import distance_transform_edt

        if not mask.any():
            return mask
        return distance_transform_edt(~mask, sampling=self._spacing) <= distance_mm

    def _blurred(self, share: np.ndarray) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(share, self._sigma)

    def _warped(self, array: np.ndarray, index: np.ndarray, *, order: int) -> np.ndarray:
        from scipy.ndimage import map_coordinates

        result = array.copy()
        if self._moved.any():
            result[self._moved] = map_coordinates(array, index[:, self._moved], order=order, mode="nearest")
        return result


def _box(ct: Volume, before: Surface | None, after: Surface, motion: Displacement | None) -> tuple[slice, slice, slice]:
    """Return the voxels of a CT around both glands and the motion, with a margin."""
    points = [after.vertices] if before is None else [after.vertices, before.vertices]
    if not ct.grid.contains(after.vertices).any():
        raise InputError("The new thyroid lies outside the CT. Choose the CT of the patient it was placed in.")
    ijk = np.concatenate([ct.to_ijk(each) for each in points])
    low, high = ijk.min(axis=0) - _MARGIN_MM / ct.spacing_mm, ijk.max(axis=0) + _MARGIN_MM / ct.spacing_mm
    if motion is not None:
        corners = ct.to_ijk(motion.grid.corners(beyond=0.5))
        low, high = np.minimum(low, corners.min(axis=0)), np.maximum(high, corners.max(axis=0))
    low = np.clip(np.floor(low), 0, ct.grid.last_ijk).astype(int)
    high = np.clip(np.ceil(high), 0, ct.grid.last_ijk).astype(int)
    i, j, k = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    return k, j, i
