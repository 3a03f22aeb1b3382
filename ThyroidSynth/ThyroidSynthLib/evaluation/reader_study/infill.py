"""A CT without the patient's thyroid, so that its bright outline does not show readers where the real gland is.

The gland and a margin are filled with soft tissue like that around them: smoothed values of the nearest tissue, and
noise with its standard deviation and correlation. That is no anatomy; it only hides the gland.
"""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.painting.infill import as_stored, filled, soft_tissue
from ThyroidSynthLib.export.painting.texture import smooth_noise
from ThyroidSynthLib.geometry.grid import box_of
from ThyroidSynthLib.geometry.resampling import resampled
from ThyroidSynthLib.geometry.volume import Volume

MARGIN_MM = (3.0, 10.0)
"""Least and greatest distance around the segmented gland that is filled too: its bright rim and partial volumes.

It varies at random, because the border of an even margin would repeat the shape of the gland.
"""

SHOWN_MM = 80.0
"""What is kept of the CT around the gland in each direction: the neck."""

# Air and bone within the margin stay as they are.
_KEPT_BELOW_HU, _KEPT_ABOVE_HU = -300.0, 300.0
_NEAR_MM = 20.0
_MARGIN_VARIES_OVER_MM = 5.0


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
    from scipy.ndimage import distance_transform_edt

    hu = array.astype(np.float64)
    rng = np.random.default_rng(seed)
    # In SDs; the middle 95% of a normal distribution spread over the range of the margin.
    varied = smooth_noise(hu.shape, _MARGIN_VARIES_OVER_MM / spacing_mm, rng)
    margin = np.interp(varied, (-2.0, 2.0), MARGIN_MM)
    region = distance_transform_edt(~inside, sampling=spacing_mm) <= margin
    target = region & (hu > _KEPT_BELOW_HU) & (inside | (hu < _KEPT_ABOVE_HU))
    hu = filled(hu, target, soft_tissue(hu, region), spacing_mm, rng)
    # Only what was filled changes, also where rounding would.
    return np.where(target, as_stored(hu, array.dtype), array)
