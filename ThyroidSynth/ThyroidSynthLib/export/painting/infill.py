"""Filling of a region of a CT with soft tissue like that around it."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import InputError

from .texture import Texture, smooth_noise

# Fat, muscle and unenhanced glands lie between these values; the thyroid's iodine and contrast medium lie above.
TISSUE_HU = (-150.0, 130.0)
_SMOOTHING_MM = 2.0
# The layers of tissue at the border of a region go on into it to this depth.
_LAYER_MM, _LAYERS_TO_MM = 0.8, 4.0
# Size of patches of fat and muscle, relative to the smoothing.
_PATCHES = 1.5
# Patches may be this much brighter or darker than smoothed tissue, as a share of its range.
_BEYOND = 0.15
_LEAST_TISSUE_VOXELS = 100


def soft_tissue(hu: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return which voxels are soft tissue: by their HU, outside `left_out`, and not at the border to air or bone.

    Raises
    ------
    InputError
        There is next to no soft tissue.
    """
    from scipy.ndimage import binary_erosion

    soft = (hu >= TISSUE_HU[0]) & (hu <= TISSUE_HU[1]) & ~left_out
    # Without the surface of soft tissue, whose voxels are partly air or bone.
    eroded = binary_erosion(soft, border_value=1)
    tissue = eroded if eroded.sum() >= _LEAST_TISSUE_VOXELS else soft
    if tissue.sum() < _LEAST_TISSUE_VOXELS:
        raise InputError(
            "There is no soft tissue around the thyroid in the CT, as if its values were not in HU. Show the shapes "
            "alone."
        )
    return tissue


def filled(
    hu: np.ndarray,
    target: np.ndarray,
    tissue: np.ndarray,
    spacing_mm: np.ndarray,
    rng: np.random.Generator,
    *,
    calm: bool = False,
) -> np.ndarray:
    """Return the voxels with those of a target replaced by tissue, float64.

    They get smoothed values of the nearest tissue, patches as it has, and its noise. That is no anatomy; it only looks
    like the surroundings.

    Parameters
    ----------
    hu : ndarray, shape (nk, nj, ni)
        HU.
    target : ndarray of bool
        What is filled.
    tissue : ndarray of bool
        What it is filled with.
    spacing_mm : ndarray, shape (3,)
        Along k, j and i.
    rng : Generator
        For noise and patches.
    calm : bool
        Whether patches contrast no more than the noise. Otherwise voxels get the distribution of the tissue's values,
        and look mottled where there is fat beside muscle.
    """
    from scipy.ndimage import distance_transform_edt

    hu = hu.astype(np.float64)
    sigma = _SMOOTHING_MM / spacing_mm
    smooth = smoothed(hu, tissue, sigma)
    depth, nearest = distance_transform_edt(~tissue, sampling=spacing_mm, return_indices=True)
    # Smoothed again, because the nearest tissue changes abruptly in the middle of the region.
    base = smoothed(np.where(tissue, smooth, smooth[tuple(nearest)]), tissue | target, sigma)
    # Next to the tissue it goes on as it is: a thin layer of fat would be lost in the mean of what lies around it.
    layers = smoothed(hu, tissue, _LAYER_MM / spacing_mm)[tuple(nearest)]
    base += np.clip(1 - depth / _LAYERS_TO_MM, 0, 1) * (layers - base)
    noise = Texture.of(hu - smooth, tissue, spacing_mm)
    fine = noise.draw(hu.shape, rng)
    # Smoothing twice has levelled the patches of fat and muscle; noise of their size makes up for it.
    levelled = max(float(hu[tissue].var() - noise.sd**2 - base[target].var()), 0.0) if target.any() else 0.0
    contrast = min(np.sqrt(levelled), noise.sd) if calm else np.sqrt(levelled)
    coarse = base + smooth_noise(hu.shape, _PATCHES * sigma, rng) * contrast
    low, high = np.percentile(smooth[tissue], (1, 99))
    room = _BEYOND * (high - low)
    hu[target] = (np.clip(coarse, low - room, high + room) + fine)[target]
    return hu


def noise_of(hu: np.ndarray, smooth: np.ndarray, tissue: np.ndarray, spacing_mm: np.ndarray) -> Texture:
    """Return the noise of tissue, given its HU and these smoothed, where the tissue is most even.

    Elsewhere the deviations from smoothed values are those of anatomy.
    """
    slope = np.linalg.norm(np.gradient(smooth, *spacing_mm), axis=0)
    even = tissue & (slope <= np.median(slope[tissue]))
    return Texture.of(hu - smooth, even if even.sum() >= _LEAST_TISSUE_VOXELS else tissue, spacing_mm)


def smoothed(values: np.ndarray, where: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Smooth values of some voxels, without those of the others."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(where.astype(np.float64), sigma)
    return gaussian_filter(np.where(where, values, 0.0), sigma) / np.maximum(weight, 1e-9)


def as_stored(hu: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return HU in the type of a CT's voxels, rounded and limited to its range."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        hu = np.clip(np.rint(hu), limits.min, limits.max)
    return hu.astype(dtype)
