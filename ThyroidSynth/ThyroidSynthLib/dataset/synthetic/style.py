"""The properties of an example thyroid that vary independently of its volume, extents and isthmus area.

Their distributions come from published anatomy, or were set such that the example cohort agrees with the figures of
real thyroids (``Testing/Benchmarks/anatomy.py``), which are given where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ISTHMUS_LEVEL_RANGE = (0.12, 0.29)
"""Height of the isthmus between the lower and upper end of the thyroid; .13 to .28 in real ones."""

SHARE_WITH_PYRAMID = 0.45
"""Share with a pyramidal lobe among thyroids with an isthmus: 47.6 % in CT (Kim et al., Korean J Radiol 2015)."""


@dataclass(frozen=True)
class GlandStyle:
    """The properties of a thyroid that are independent of its volume, extents and isthmus area.

    Pairs are (right, left).

    Attributes
    ----------
    width_factor, depth_factor, height_factor
        Size of each lobe relative to the common width, depth and height.
    inner_edge
        Medial border of each lobe: distance from the axis of the airway, as a fraction of its outer radius.
    level_mm
        Height of the middle of the lobes above the cricoid.
    height_offset_mm
        Height of the middle of each lobe relative to `level_mm`.
    forward_mm
        Distance of the axis of each lobe in front of that of the airway.
    backward_lean
        Slope of the axis of each lobe relative to the airway's (negative: upper poles further posterior).
    spread
        Lateral slope of the axis of each lobe (positive: upper poles further apart).
    turn
        Rotation of the cross-section of each lobe about the body axis, radians; positive moves its posterior side
        laterally.
    curl
        Bend of the cross-section of each lobe around the airway, in half widths; 0 is an ellipse.
    wedge
        Change of the width of the cross-section from its middle to its anterior end, relative (negative: wider
        posteriorly).
    lower_taper, upper_taper
        Taper of the poles of each lobe: 1 is an ellipsoid, less is blunt, 2 is a cone.
    isthmus_level, isthmus_height_factor
        Height of the isthmus between the lower (0) and upper (1) end of the thyroid, and its height over its thickness.
    isthmus_rise
        Slope of the isthmus from the middle to the lobes: 0 is a "U" or an "H", larger values are a "V".
    blend_mm
        Width over which isthmus and lobes merge.
    pyramid
        Lateral offset, length and radius of the pyramidal lobe in mm; None for none.
    gap_mm
        Distance between the lobes if there is no isthmus.
    waves
        Low-frequency displacements (n, 7): wave vector (3, rad/mm), phase, amplitude vector (3, mm).
    lobules
        Undulation of the surface (n, 5): wave vector (3, rad/mm), phase, amplitude (mm).
    bumps
        Nodules (m, 6): lobe (0 right, 1 left), position (3, in semi-axes of the lobe), radius and height in mm.
    only_lobe
        The only lobe, if there is one (0 right, 1 left).
    """

    width_factor: tuple[float, float]
    depth_factor: tuple[float, float]
    height_factor: tuple[float, float]
    inner_edge: tuple[float, float]
    level_mm: float
    height_offset_mm: tuple[float, float]
    forward_mm: tuple[float, float]
    backward_lean: tuple[float, float]
    spread: tuple[float, float]
    turn: tuple[float, float]
    curl: tuple[float, float]
    wedge: tuple[float, float]
    lower_taper: tuple[float, float]
    upper_taper: tuple[float, float]
    isthmus_level: float
    isthmus_height_factor: float
    isthmus_rise: float
    blend_mm: float
    pyramid: tuple[float, float, float] | None
    gap_mm: float
    waves: np.ndarray
    lobules: np.ndarray
    bumps: np.ndarray
    only_lobe: int | None


def draw_style(rng: np.random.Generator, *, volume_ml: float, has_isthmus: bool, hemi_agenesis: bool) -> GlandStyle:
    """Draw a style."""

    def pair(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
        # The two lobes of a thyroid are more similar than those of different thyroids.
        values = np.clip(rng.normal(mean, 0.9 * sd) + rng.normal(0.0, 0.4 * sd, 2), low, high)
        return float(values[0]), float(values[1])

    # The right lobe is larger on average; one thyroid in twelve is strongly asymmetric.
    bias = rng.normal(0.02, 0.035)
    if rng.random() < 0.08:
        bias = rng.choice([-1.0, 1.0], p=[0.4, 0.6]) * rng.uniform(0.12, 0.28)

    def sides(sd: float) -> tuple[float, float]:
        half = bias + rng.normal(0.0, sd)
        return float(np.exp(half)), float(np.exp(-half))

    right, left = sides(0.02)
    pyramid = None
    if has_isthmus and rng.random() < SHARE_WITH_PYRAMID:
        side = rng.choice([-1.0, 1.0], p=[0.65, 0.35])  # more often on the left
        pyramid = (side * rng.uniform(3.0, 8.0), rng.uniform(9.0, 24.0), rng.uniform(2.1, 3.2))
    return GlandStyle(
        width_factor=sides(0.03),
        depth_factor=sides(0.04),
        height_factor=(right / max(right, left), left / max(right, left)),
        inner_edge=pair(0.40, 0.18, 0.0, 0.8) if has_isthmus else pair(0.60, 0.18, 0.2, 1.0),
        level_mm=float(rng.normal(-6.0, 3.0)),
        height_offset_mm=pair(0.0, 2.0, -5.0, 5.0),
        forward_mm=pair(1.5, 2.5, -4.0, 7.0),
        backward_lean=pair(-0.10, 0.08, -0.30, 0.08),
        spread=pair(0.15, 0.09, -0.08, 0.38),
        turn=pair(0.35, 0.22, -0.15, 0.85),
        curl=pair(0.35, 0.22, 0.0, 0.8),
        wedge=pair(0.05, 0.20, -0.35, 0.4),
        lower_taper=pair(0.70, 0.25, 0.35, 1.5),
        upper_taper=pair(1.25, 0.40, 0.6, 2.2),
        isthmus_level=float(rng.uniform(*ISTHMUS_LEVEL_RANGE)),
        isthmus_height_factor=float(np.clip(np.exp(rng.normal(np.log(2.3), 0.3)), 1.2, 3.6)),
        isthmus_rise=float(rng.uniform(0.0, 0.8)),
        blend_mm=float(rng.uniform(3.0, 8.0)),
        pyramid=pyramid,
        gap_mm=float(rng.uniform(5.0, 13.0)),
        waves=_waves(rng),
        lobules=_lobules(rng),
        bumps=_bumps(rng, volume_ml),
        only_lobe=int(rng.integers(0, 2)) if hemi_agenesis else None,
    )


def _waves(rng: np.random.Generator, count: int = 5) -> np.ndarray:
    wavelength = rng.uniform(22.0, 55.0, (count, 1))
    amplitude = rng.standard_normal((count, 3)) * 0.018 * wavelength
    return np.hstack([_wave_vectors(rng, wavelength), amplitude]).astype(np.float32)


def _lobules(rng: np.random.Generator, count: int = 4) -> np.ndarray:
    # Up to a third of a voxel in most thyroids, up to a voxel of 1.5 mm in a few.
    roughness = np.clip(np.exp(rng.normal(np.log(0.15), 0.6)), 0.0, 0.6)
    amplitude = roughness * rng.uniform(0.5, 1.0, (count, 1))
    return np.hstack([_wave_vectors(rng, rng.uniform(9.0, 18.0, (count, 1))), amplitude]).astype(np.float32)


def _wave_vectors(rng: np.random.Generator, wavelength: np.ndarray) -> np.ndarray:
    direction = rng.standard_normal((len(wavelength), 3))
    direction *= 2.0 * np.pi / wavelength / np.linalg.norm(direction, axis=1, keepdims=True)
    return np.hstack([direction, rng.uniform(0.0, 2.0 * np.pi, (len(wavelength), 1))])


def _bumps(rng: np.random.Generator, volume_ml: float) -> np.ndarray:
    # Enlarged thyroids have more and larger nodules.
    enlarged = float(np.clip(volume_ml / 13.0, 0.5, 3.0))
    nodules = min(int(rng.poisson(0.8 * enlarged)), 6)
    place = rng.standard_normal((nodules, 3))
    place *= 0.85 / np.maximum(np.linalg.norm(place, axis=1, keepdims=True), 1e-9)
    size = rng.uniform(4.0, 7.0 + enlarged, nodules)
    return np.column_stack([rng.integers(0, 2, nodules), place, size, size * rng.uniform(0.2, 0.45, nodules)])
