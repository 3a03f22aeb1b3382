"""Figures of a thyroid on its trachea, and their values in real patients, to which the example cohort is compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ThyroidSynthLib.dataset.cases import Case
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.volume import Volume

_STEP_MM = 1.0


@dataclass(frozen=True)
class GlandFigures:
    """The figures of one thyroid, measured on its masks in the upright frame.

    Attributes
    ----------
    isthmus_level : float
        Height of the centre of the midsagittal section between the lower (0) and upper (1) end of the thyroid, along
        the patient's axis; NaN without an isthmus.
    isthmus_thickness_mm : float
        Area of the midsagittal section over its height; NaN without an isthmus.
    gap_mm : float
        Smallest distance between the middle of the isthmus and the trachea mask, which is the lumen; NaN without one.
    within_4_mm, within_8_mm : float
        Share of the thyroid within this distance of the trachea mask.
    lower_tenth, upper_tenth : float
        Area of the horizontal section a tenth of the height above the lower end, and below the upper end, relative to
        the largest.
    depth_over_width : float
        Ratio of the principal axes of the horizontal section of the larger lobe at half its height.
    apart : float
        Distance between the centres of the two lobes a fifth below the upper end, minus that a third above the lower
        end, over the height: 0 for an "H", positive for a "V"; NaN for one lobe.
    trachea_width_mm : float
        Width of the trachea at the height of the thyroid.
    """

    isthmus_level: float
    isthmus_thickness_mm: float
    gap_mm: float
    within_4_mm: float
    within_8_mm: float
    lower_tenth: float
    upper_tenth: float
    depth_over_width: float
    apart: float
    trachea_width_mm: float


NONE = float("nan")
REAL = {
    # The reference phantoms of ICRP publication 110, from scans of slices of 4.8 and 8 mm. The man has no isthmus.
    "woman": GlandFigures(0.21, 4.8, 3.4, 0.03, 0.37, 0.52, 0.20, 1.34, 0.31, 13.0),
    "man": GlandFigures(NONE, NONE, NONE, 0.02, 0.18, 0.57, 0.06, 1.38, 0.12, 17.0),
    # s0327 of the TotalSegmentator dataset, 1.5 mm; the scan cuts this enlarged thyroid above.
    "s0327": GlandFigures(0.21, 3.2, 5.5, 0.02, 0.15, 0.17, 0.14, 1.53, 0.37, 16.0),
}
"""Figures of real thyroids. None of them is an example from which the generator was made."""


def gland_figures(case: Case) -> GlandFigures:
    """Measure a case."""
    thyroid, trachea = case.thyroid, case.trachea
    placement = Placement.upright(trachea, thyroid.center_of_mass_ras())
    corners = placement.to_trachea(thyroid.grid.corners(beyond=1.0))
    low, high = corners.min(axis=0) - 2.0, corners.max(axis=0) + 2.0
    low[0], high[0] = min(low[0], -16.0), max(high[0], 16.0)  # beyond a single lobe, for the width of the trachea
    axes = [np.arange(a, b, _STEP_MM) for a, b in zip(low, high, strict=True)]
    points = placement.to_ras(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    gland = _signed_mm(thyroid, points) < 0.0
    to_trachea = _signed_mm(trachea, points)

    heights = np.flatnonzero(gland.any(axis=(0, 1)))
    height = len(heights)
    middle = np.abs(axes[0]) < 1.0
    section = gland[middle].all(axis=0)
    level = thickness = gap = np.nan
    if middle.any() and section.any():
        rows = np.flatnonzero(section.any(axis=0))
        above = points[gland][:, 2]
        level = float((points[middle][gland[middle]][:, 2].mean() - above.min()) / np.ptp(above))
        thickness = float(section.sum() / len(rows)) * _STEP_MM
        gap = float(to_trachea[middle][gland[middle]].min())
    areas = gland.sum(axis=(0, 1))[heights].astype(float)
    tenth = round(0.1 * height)
    lobes = [gland[side * axes[0] > 0.0] for side in (1.0, -1.0)]
    tube = to_trachea[:, :, heights] < 0.0
    width = np.median([width for width in tube.any(axis=1).sum(axis=0) if width] or [np.nan]) * _STEP_MM
    return GlandFigures(
        level,
        thickness,
        gap,
        float((to_trachea[gland] < 4.0).mean()),
        float((to_trachea[gland] < 8.0).mean()),
        float(areas[tenth] / areas.max()),
        float(areas[-1 - tenth] / areas.max()),
        _depth_over_width(max(lobes, key=np.count_nonzero)),
        _apart(gland, axes[0], heights),
        float(width),
    )


def _signed_mm(volume: Volume, points_ras: np.ndarray) -> np.ndarray:
    """Return the distance to the surface of a mask at points (..., 3), negative inside, interpolated between voxels."""
    margin = 20
    inside = np.pad(volume.array > 0, margin)
    spacing = volume.spacing_mm[::-1]
    outside_mm, inside_mm = (ndimage.distance_transform_edt(mask, sampling=spacing) for mask in (~inside, inside))
    kji = np.moveaxis(volume.to_ijk(points_ras)[..., ::-1] + margin, -1, 0)
    return ndimage.map_coordinates(outside_mm - inside_mm, kji, order=1, mode="nearest")


def _depth_over_width(lobe: np.ndarray) -> float:
    heights = np.flatnonzero(lobe.any(axis=(0, 1)))
    ratios = []
    for height in heights[len(heights) // 2 - 2 : len(heights) // 2 + 3]:
        inside = np.argwhere(lobe[:, :, height])
        if len(inside) > 12:
            small, large = np.linalg.eigvalsh(np.cov(inside.T))
            ratios.append(np.sqrt(large / max(small, 1e-3)))
    return float(np.mean(ratios)) if ratios else np.nan


def _apart(gland: np.ndarray, x: np.ndarray, heights: np.ndarray) -> float:
    distances = []
    for share in (0.8, 1.0 / 3.0):
        inside = x[np.nonzero(gland[:, :, heights[int(share * (len(heights) - 1))]])[0]]
        right, left = inside[inside > 0.0], inside[inside < 0.0]
        if not len(right) or not len(left):
            return np.nan
        distances.append(right.mean() - left.mean())
    return float((distances[0] - distances[1]) / (len(heights) * _STEP_MM))
