"""The values of a patient's gland in the CT, and those of nodules in such a gland."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .texture import Texture

PUBLISHED_GLAND_HU = 110.0
"""Mean of healthy glands without contrast medium: 80 to 120 HU, because of their iodine (Maldjian and Chen,
Clin Radiol 2016)."""

SOLID_SHARE = 0.53
"""HU of a solid nodule as a share of the gland's: 61 of about 115 HU without contrast medium (benign nodules, J Comput
Assist Tomogr 2017;41:195-198), and 94 of about 180 HU with it (benign nodules, East J Med 2021;26:326-333)."""

CYST_HU = 15.0
"""Fluid, with and without contrast medium: 0 to 20 HU."""

CALCIFICATION_HU = 630.0
"""Mean of a coarse calcification: near the value that divides benign from malignant ones (Wei et al., Cancer Manag Res
2020)."""

# Noise and texture of a gland that is not in the CT.
_USUAL_SD_HU = 15.0
# How deep inside the mask its values are measured, from the safest depth to one that small glands have.
_DEPTHS_MM = (2.5, 1.5, 0.75)
_LEAST_VOXELS = 60
# Vessels, calcifications and errors of the segmentation are not the gland's own values.
_WITHIN_SD = 3.5
# Darker or brighter than this is no gland, as in an image that is not in HU, or a mask that lies in the airway.
_POSSIBLE_HU = (0.0, 500.0)


@dataclass(frozen=True)
class GlandValues:
    """The values of a gland: their mean in HU, their texture, and a remark if they are not the patient's own."""

    mean_hu: float
    texture: Texture
    note: str = ""


def measure_gland_values(
    hu: np.ndarray, inside: np.ndarray, spacing_mm: np.ndarray, background: Texture | None
) -> GlandValues:
    """Return the values of a gland, measured well inside its mask; published ones if it cannot be measured.

    Parameters
    ----------
    hu : ndarray, shape (nk, nj, ni)
        HU.
    inside : ndarray of bool, shape (nk, nj, ni)
        The mask of the gland.
    spacing_mm : ndarray, shape (3,)
        Along k, j and i.
    background : Texture or None
        The texture of other tissue in the scan, which a gland that cannot be measured is given.
    """
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(inside, sampling=spacing_mm)
    for least in _DEPTHS_MM:
        core = depth > max(least, 0.6 * float(spacing_mm.max()) if least > _DEPTHS_MM[-1] else 0.0)
        if core.sum() < _LEAST_VOXELS:
            continue
        values = hu[core]
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - middle)))
        core &= np.abs(hu - middle) <= _WITHIN_SD * max(spread, 1.0)
        if _POSSIBLE_HU[0] <= middle <= _POSSIBLE_HU[1] and core.sum() >= _LEAST_VOXELS // 2:
            return GlandValues(float(hu[core].mean()), Texture.of(hu, core, spacing_mm))
    why = "is too small in the CT" if inside.any() else "is not in the CT"
    if inside.any() and (depth > _DEPTHS_MM[-1]).sum() >= _LEAST_VOXELS:
        why = "has values in the CT that no gland has"
    texture = background or Texture(np.ones((1, 1, 1)), np.array([-_USUAL_SD_HU, _USUAL_SD_HU]))
    return GlandValues(
        PUBLISHED_GLAND_HU,
        texture,
        f"The patient's thyroid {why}, so the new one has the published mean of {PUBLISHED_GLAND_HU:.0f} HU without "
        "contrast medium.",
    )


def nodule_hu(composition: str, gland_hu: float) -> float:
    """Return the HU of a solid or cystic nodule in a gland with this mean; a mixed one has both."""
    return CYST_HU if composition == "cystic" else SOLID_SHARE * gland_hu
