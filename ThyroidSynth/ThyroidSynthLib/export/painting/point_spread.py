"""The point spread of a scanner, estimated from the edges between air and tissue."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.geometry.volume import Volume

# An edge counts if it leads from air to soft tissue within this many voxels on each side of its steepest step.
_HALF_LENGTH = 4
_LEAST_STEP_HU = 2.0
_AIR_HU, _TISSUE_LOW_HU, _TISSUE_HIGH_HU = -800.0, -130.0, 250.0
# Least cosine between the edge and the axis along which it is measured.
_LEAST_COSINE = 0.9
_FEWEST_EDGES = 30
_USUAL_VOXELS = 0.6
_LIMITS_VOXELS = (0.2, 2.5)
# Rim of the gland in which the width of its edge is measured, and the factors that are tried.
_RIM_VOXELS, _LEAST_RIM = 2, 200
_FACTORS = np.linspace(0.7, 1.7, 11)


def estimate_point_spread(ct: Volume) -> tuple[np.ndarray, int]:
    """Estimate the standard deviation of a CT's point spread along its axes.

    The steps along a profile across an edge from air to tissue are samples of the point spread, integrated over the
    other axes. The largest and its two neighbours give its standard deviation as that of a normal distribution; steps
    farther away may come from the wall of the airway and what lies behind it. The median over all edges
    along an axis is taken. An axis with too few edges has that of the others in mm.

    Parameters
    ----------
    ct : Volume
        In HU; the part around the gland, with the airway.

    Returns
    -------
    sigma_mm : ndarray, shape (3,)
        Along i, j and k.
    edges : int
        Number of edges it was estimated from; 0 if it is a usual value, 0.6 voxels.
    """
    hu = _without_padding(ct.array).astype(np.float32)
    spacing = ct.spacing_mm
    gradient = np.stack([np.gradient(hu, step, axis=axis) for axis, step in enumerate(spacing[::-1])])
    length = np.maximum(np.linalg.norm(gradient, axis=0), 1e-6)
    sigma = np.full(3, np.nan)
    edges = 0
    for axis in range(3):
        found = _spreads_along(hu, np.abs(gradient[axis]) / length, axis)
        edges += len(found)
        if len(found) >= _FEWEST_EDGES:
            sigma[2 - axis] = np.median(found) * spacing[2 - axis]
    if np.isnan(sigma).all():
        return _USUAL_VOXELS * spacing, 0
    sigma = np.where(np.isnan(sigma), np.nanmean(sigma), sigma)
    return np.clip(sigma, _LIMITS_VOXELS[0] * spacing, _LIMITS_VOXELS[1] * spacing), edges


def _without_padding(array: np.ndarray) -> np.ndarray:
    """Return a volume without planes at its ends that have one value: a scan ends there without an edge of its own."""
    for axis in range(3):
        planes = np.moveaxis(array, axis, 0)
        varied = np.flatnonzero(planes.min(axis=(1, 2)) != planes.max(axis=(1, 2)))
        if len(varied):
            array = np.moveaxis(planes[varied[0] : varied[-1] + 1], 0, axis)
    return array


def widened_to_gland(
    hu: np.ndarray, inside: np.ndarray, left_out: np.ndarray, gland_hu: float, sigma: np.ndarray
) -> tuple[float, float]:
    """Return the factor by which a gland's edge in the CT is wider than the scanner's point spread, and its contrast.

    The factor is 1 for an ideal segmentation; the edges of real ones do not lie exactly where the gland ends, which
    makes the mean profile across them wider. It is the one with which a blurred mask explains the values near the edge
    best. The contrast is the difference in HU between the gland and what surrounds it.

    Parameters
    ----------
    hu : ndarray, shape (nk, nj, ni)
        HU.
    inside, left_out : ndarray of bool
        The gland, and voxels near it that are neither gland nor soft tissue.
    gland_hu : float
        Mean of the gland.
    sigma : ndarray, shape (3,)
        Standard deviation of the point spread along k, j and i, in voxels.
    """
    from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

    around = binary_dilation(inside, iterations=_RIM_VOXELS) & ~binary_erosion(inside, iterations=_RIM_VOXELS)
    rim = around & ~binary_dilation(left_out, iterations=_RIM_VOXELS)
    if rim.sum() < _LEAST_RIM:
        return 1.0, 0.0
    mask, values = inside.astype(np.float32), hu[rim].astype(np.float64) - gland_hu
    best = (np.inf, 1.0, 0.0)
    for factor in _FACTORS.tolist():
        rest = 1 - gaussian_filter(mask, factor * sigma)[rim]
        contrast = -float(rest @ values) / float(rest @ rest)
        best = min(best, (float(((values + rest * contrast) ** 2).sum()), factor, contrast))
    return best[1], best[2]


def _spreads_along(hu: np.ndarray, cosine: np.ndarray, axis: int) -> np.ndarray:
    """Return the standard deviations, in voxels, of the edges along an axis, shape (n,)."""
    hu, cosine = np.moveaxis(hu, axis, 0), np.moveaxis(cosine, axis, 0)
    if hu.shape[0] < 2 * _HALF_LENGTH + 2:
        return np.empty(0)
    step = np.abs(np.diff(hu, axis=0))
    inner = slice(_HALF_LENGTH, step.shape[0] - _HALF_LENGTH)
    middle = step[inner]
    steepest = np.ones(middle.shape, dtype=bool)
    for offset in range(-_HALF_LENGTH, _HALF_LENGTH + 1):
        if offset:
            steepest &= middle >= step[inner.start + offset : inner.stop + offset]
    steepest &= (middle > 200.0) & (np.maximum(cosine[:-1], cosine[1:])[inner] > _LEAST_COSINE)
    at, *others = np.nonzero(steepest)
    offsets = range(-_HALF_LENGTH + 1, _HALF_LENGTH + 1)
    first, second = others
    profiles = np.stack([hu[at + inner.start + offset, first, second] for offset in offsets], axis=1)
    rising = profiles[:, -1] > profiles[:, 0]
    profiles = np.where(rising[:, None], profiles, profiles[:, ::-1])
    good = (profiles[:, :2].max(axis=1) < _AIR_HU) & (profiles[:, -2:].min(axis=1) > _TISSUE_LOW_HU)
    good &= profiles[:, -2:].max(axis=1) < _TISSUE_HIGH_HU
    steps = np.maximum(np.diff(profiles[good], axis=1), _LEAST_STEP_HU)
    before, largest, after = steps[:, _HALF_LENGTH - 2 : _HALF_LENGTH + 1].T
    variance = 1 / np.maximum(2 * np.log(largest) - np.log(before) - np.log(after), 1e-3)
    # The difference of two voxels adds the variance of a box of one voxel.
    return np.sqrt(np.maximum(variance - 1 / 12, 0.0))
