"""A CT without the patient's thyroid, so that its bright outline does not show readers where the real gland is.

The gland and a margin are filled with soft tissue like that around them: smoothed values of the nearest tissue, and
noise with its standard deviation and correlation. That is no anatomy; it only hides the gland.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import box_of
from ThyroidSynthLib.geometry.resampling import resampled
from ThyroidSynthLib.geometry.volume import Volume

MARGIN_MM = (3.0, 10.0)
"""Least and greatest distance around the segmented gland that is filled too: its bright rim and partial volumes.

It varies at random, because the border of an even margin would repeat the shape of the gland.
"""

SHOWN_MM = 80.0
"""What is kept of the CT around the gland in each direction: the neck."""

# Fat, muscle and unenhanced glands lie between these values; the thyroid's iodine and contrast medium lie above.
_TISSUE_HU = (-150.0, 130.0)
# Air and bone within the margin stay as they are.
_KEPT_BELOW_HU, _KEPT_ABOVE_HU = -300.0, 300.0
_SMOOTHING_MM = 2.0
_NEAR_MM = 20.0
_MARGIN_VARIES_OVER_MM = 5.0
# Size of patches of fat and muscle, relative to the smoothing.
_PATCHES = 1.5
_LEAST_TISSUE_VOXELS = 100
_NEGLIGIBLE_CORRELATION = 0.02


def without_gland(ct: Volume, gland: Volume, *, seed: int) -> Volume:
    """Return the part of a CT around a gland, with the gland filled by the soft tissue around it.

    Parameters
    ----------
    ct : Volume
        In HU, in `ras_mm`; it is not changed.
    gland : Volume
        Non-zero inside, in `ras_mm`; on any grid.
    seed : int
        Random seed of the noise.

    Returns
    -------
    Volume
        With axes at right angles and the CT's type of voxels.

    Raises
    ------
    InputError
        The gland lies outside the CT, or there is no soft tissue around it, as in an image that is not in HU.
    """
    shown = ct.part(_box_around(ct, gland, SHOWN_MM))
    filled = Volume(shown.array.copy(), shown.ijk_to_ras)
    # All the rest of the work is near the gland; a part shares its voxels with the whole.
    near = filled.part(_box_around(filled, gland, MARGIN_MM[1] + _NEAR_MM))
    inside = resampled(gland, near.grid).array != 0
    if not inside.any():
        raise InputError("The thyroid lies outside the CT. Choose the CT that was segmented.")
    near.array[...] = _filled(near.array, inside, near.spacing_mm[::-1], seed)
    return filled.straightened() if filled.grid.deviation_from_right_angles() > 1e-3 else filled


def _box_around(ct: Volume, gland: Volume, margin_mm: float) -> tuple[slice, slice, slice]:
    """Return the box of a CT that holds a gland with a margin, cut at the border of the CT."""
    corners = ct.to_ijk(gland.part(box_of(gland.array != 0)).grid.corners(beyond=0.5))
    margin = margin_mm / ct.spacing_mm
    low = np.maximum(np.floor(corners.min(axis=0) - margin).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0) + margin).astype(int), ct.grid.last_ijk)
    if (low > high).any():
        raise InputError("The thyroid lies outside the CT. Choose the CT that was segmented.")
    i, j, k = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    return k, j, i


def _filled(array: np.ndarray, inside: np.ndarray, spacing_mm: np.ndarray, seed: int) -> np.ndarray:
    """Return the voxels with those inside the gland and its margin replaced."""
    from scipy.ndimage import binary_erosion, distance_transform_edt

    hu = array.astype(np.float64)
    rng = np.random.default_rng(seed)
    # In SDs; the middle 95% of a normal distribution spread over the range of the margin.
    varied = _noise(hu.shape, _MARGIN_VARIES_OVER_MM / spacing_mm, rng)
    margin = np.interp(varied, (-2.0, 2.0), MARGIN_MM)
    region = distance_transform_edt(~inside, sampling=spacing_mm) <= margin
    soft = (hu >= _TISSUE_HU[0]) & (hu <= _TISSUE_HU[1]) & ~region
    # Without the surface of soft tissue, whose voxels are partly air or bone.
    eroded = binary_erosion(soft, border_value=1)
    tissue = eroded if eroded.sum() >= _LEAST_TISSUE_VOXELS else soft
    if tissue.sum() < _LEAST_TISSUE_VOXELS:
        raise InputError(
            "There is no soft tissue around the thyroid in the CT, as if its values were not in HU. Show the shapes "
            "alone."
        )
    target = region & (hu > _KEPT_BELOW_HU) & (inside | (hu < _KEPT_ABOVE_HU))
    sigma = _SMOOTHING_MM / spacing_mm
    smooth = _smoothed(hu, tissue, sigma)
    nearest = distance_transform_edt(~tissue, sampling=spacing_mm, return_distances=False, return_indices=True)
    # Smoothed again, because the nearest tissue changes abruptly in the middle of the gland.
    base = _smoothed(np.where(tissue, smooth, smooth[tuple(nearest)]), tissue | target, sigma)
    fine = _noise_like(np.where(tissue, hu - smooth, 0.0), tissue, rng)
    # Smoothing twice has levelled the patches of fat and muscle; noise of their size makes up for it.
    levelled = max(float(smooth[tissue].var() - base[target].var()), 0.0)
    coarse = base + _noise(hu.shape, _PATCHES * sigma, rng) * np.sqrt(levelled)
    hu[target] = (np.clip(coarse, *np.percentile(smooth[tissue], (1, 99))) + fine)[target]
    if np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(array.dtype)
        hu = np.clip(np.rint(hu), limits.min, limits.max)
    # Only what was filled changes, also where rounding would.
    return np.where(target, hu.astype(array.dtype), array)


def _smoothed(values: np.ndarray, where: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Smooth values of some voxels, without those of the others."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(where.astype(np.float64), sigma)
    return gaussian_filter(np.where(where, values, 0.0), sigma) / np.maximum(weight, 1e-9)


def _noise_like(residual: np.ndarray, where: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return noise with the variance, and along each axis the correlation of neighbours, of a residual."""
    variance = float((residual[where] ** 2).mean())
    if variance == 0:
        return np.zeros(residual.shape)
    sigma = []
    for axis in range(3):
        one, other = (np.moveaxis(residual, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        both = np.moveaxis(where, axis, 0)[:-1] & np.moveaxis(where, axis, 0)[1:]
        correlation = float((one * other)[both].mean()) / variance if both.any() else 0.0
        # White noise that is smoothed with sigma has the correlation exp(-1 / (4 sigma²)) between neighbours.
        correlation = min(correlation, 0.95)
        sigma.append(np.sqrt(-0.25 / np.log(correlation)) if correlation > _NEGLIGIBLE_CORRELATION else 0.0)
    return _noise(residual.shape, sigma, rng) * np.sqrt(variance)


def _noise(shape: tuple[int, ...], sigma: Sequence[float] | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return normal noise with the standard deviation 1, smoothed with a sigma in voxels along each axis."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return noise / noise.std()
