"""The implicit shape of an example thyroid: two lobes on the airway, an isthmus, sometimes a pyramidal lobe.

The surface is the zero set of `Gland.field`, an approximate SDF in mm, negative inside. The shape only resembles a
thyroid, for tests of software; nothing about anatomy can be concluded from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .airway import Airway, length, smooth_max, smooth_min

CLEARANCE_MM = 0.7
"""Gap between the thyroid and the wall of the airway."""


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
    taper
        Taper of the upper pole of each lobe.
    isthmus_level, isthmus_height_factor
        Position of the isthmus between the lower (0) and upper (1) poles, and its height over its thickness.
    pyramid
        Lateral offset, length and radius of the pyramidal lobe in mm; None for none.
    gap_mm
        Distance between the lobes if there is no isthmus.
    waves
        Low-frequency displacements (n, 7): wave vector (3, rad/mm), phase, amplitude vector (3, mm).
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
    taper: tuple[float, float]
    isthmus_level: float
    isthmus_height_factor: float
    pyramid: tuple[float, float, float] | None
    gap_mm: float
    waves: np.ndarray
    bumps: np.ndarray
    only_lobe: int | None


def draw_style(rng: np.random.Generator, *, has_isthmus: bool, hemi_agenesis: bool) -> GlandStyle:
    """Draw a style."""

    def pair(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
        # The two lobes of a thyroid are more similar than those of different thyroids.
        values = np.clip(rng.normal(mean, 0.95 * sd) + rng.normal(0.0, 0.3 * sd, 2), low, high)
        return float(values[0]), float(values[1])

    # The right lobe is larger on average; one thyroid in twelve is strongly asymmetric.
    bias = rng.normal(0.02, 0.035)
    if rng.random() < 0.08:
        bias = rng.choice([-1.0, 1.0], p=[0.4, 0.6]) * rng.uniform(0.12, 0.28)

    def sides(sd: float) -> tuple[float, float]:
        half = bias + rng.normal(0.0, sd)
        return float(np.exp(half)), float(np.exp(-half))

    right, left = sides(0.02)
    count = 4
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = rng.uniform(18.0, 45.0, (count, 1))
    amplitude = rng.standard_normal((count, 3)) * 0.014 * wavelength
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, 1))
    waves = np.hstack([direction * 2.0 * np.pi / wavelength, phase, amplitude]).astype(np.float32)
    nodules = rng.choice(4, p=[0.45, 0.3, 0.15, 0.1])
    place = rng.standard_normal((nodules, 3))
    place *= 0.85 / np.linalg.norm(place, axis=1, keepdims=True)
    bumps = np.column_stack(
        [rng.integers(0, 2, nodules), place, rng.uniform(4.0, 8.0, nodules), rng.uniform(1.0, 3.0, nodules)]
    )
    pyramid = None
    if has_isthmus and rng.random() < 0.35:
        side = rng.choice([-1.0, 1.0], p=[0.65, 0.35])  # more often on the left
        pyramid = (side * rng.uniform(4.5, 8.0), rng.uniform(9.0, 22.0), rng.uniform(2.1, 3.2))
    return GlandStyle(
        width_factor=sides(0.02),
        depth_factor=sides(0.03),
        height_factor=(right / max(right, left), left / max(right, left)),
        inner_edge=pair(0.35, 0.15, 0.0, 0.7) if has_isthmus else pair(0.55, 0.15, 0.2, 0.9),
        level_mm=float(rng.normal(-6.0, 3.0)),
        height_offset_mm=pair(0.0, 1.6, -4.0, 4.0),
        forward_mm=pair(2.0, 1.3, -2.0, 5.5),
        backward_lean=pair(-0.10, 0.05, -0.25, 0.02),
        spread=pair(0.05, 0.05, -0.08, 0.18),
        turn=pair(0.40, 0.14, 0.05, 0.75),
        taper=pair(1.5, 0.4, 0.5, 2.4),
        isthmus_level=float(rng.uniform(0.22, 0.42)),
        isthmus_height_factor=float(rng.uniform(2.0, 3.4)),
        pyramid=pyramid,
        gap_mm=float(rng.uniform(5.0, 13.0)),
        waves=waves,
        bumps=bumps,
        only_lobe=int(rng.integers(0, 2)) if hemi_agenesis else None,
    )


@dataclass(frozen=True)
class Gland:
    """A thyroid on an airway, in the neck frame.

    Attributes
    ----------
    half_width_mm, half_depth_mm, height_mm
        Common semi-axes of the cross-sections of the lobes, and their height.
    isthmus_mm
        Thickness of the isthmus; 0 for none.
    midplane
        Midsagittal plane of the trachea frame (4,): unit normal and offset, in the neck frame.
    """

    airway: Airway
    style: GlandStyle
    half_width_mm: float
    half_depth_mm: float
    height_mm: float
    isthmus_mm: float
    midplane: np.ndarray

    @property
    def bottom_mm(self) -> float:
        """Height of the lower end of lobes of the common height."""
        return self.style.level_mm - self.height_mm / 2.0

    def field(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate signed distance in mm to the surface, negative inside."""
        px, py, pz = self._displaced(x, y, z)
        cx, cy = self.airway.centre(pz)
        u, w = px - cx, py - cy
        lobes = [self._lobe(side, u, w, pz) for side in (0, 1) if self.style.only_lobe in (None, side)]
        shape = lobes[0] if len(lobes) == 1 else np.minimum(*lobes)
        if self.isthmus_mm > 0.0:
            shape = smooth_min(shape, self._isthmus(u, w, pz), 2.5)
        else:
            nx, ny, nz, offset = self.midplane.tolist()  # Python floats keep the arrays in single precision
            aside = nx * x + ny * y + nz * z - offset
            if self.style.only_lobe is None:
                aside = np.abs(aside)
            elif self.style.only_lobe == 1:
                aside = -aside
            shape = smooth_max(shape, self.style.gap_mm / 2.0 - aside, 3.0)
        return smooth_max(shape, CLEARANCE_MM - self.airway.wall_distance(x, y, z), 1.5)

    def _displaced(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, ...]:
        moved = [x, y, z]
        for kx, ky, kz, phase, *amplitude in self.style.waves.tolist():
            wave = np.sin(kx * x + ky * y + kz * z + phase)
            moved = [axis + size * wave for axis, size in zip(moved, amplitude, strict=True)]
        return tuple(moved)

    def _lobe(self, side: int, u: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
        style, sign = self.style, (1.0, -1.0)[side]
        a = self.half_width_mm * style.width_factor[side]
        b = self.half_depth_mm * style.depth_factor[side]
        height = self.height_mm * style.height_factor[side]
        middle = style.level_mm + style.height_offset_mm[side]
        rise = z - middle
        inner = style.inner_edge[side] * float(self.airway.wall_radius(0.0))
        out = sign * u - (inner + a + style.spread[side] * rise)
        forward = w - (style.forward_mm[side] + style.backward_lean[side] * rise)
        cosine, sine = math.cos(style.turn[side]), math.sin(style.turn[side])
        across = (out * cosine + forward * sine) / a
        along = (forward * cosine - out * sine) / b
        # Size of the cross-section along the lobe: elliptic, larger at the lower pole by the taper, at most 1.
        t = np.clip(rise / height + 0.5, -0.4, 1.4)
        taper = style.taper[side]
        peak = (taper + 2.0 - math.sqrt(taper * taper + 4.0)) / (2.0 * taper)
        profile = t * (1.0 - t) * np.exp(taper * (peak - t)) / (peak * (1.0 - peak))
        reach2 = across * across + along * along
        field = min(a, b) * (reach2 - profile) / (np.sqrt(reach2) + np.sqrt(np.maximum(profile, 0.0)) + 0.2)
        field = field + np.maximum(np.abs(rise) - 0.9 * height, 0.0)  # increases beyond the clipped profile, too
        for lobe, bx, by, bz, radius, bump in style.bumps.tolist():
            if int(lobe) == side:
                d2 = (out - bx * a) ** 2 + (forward - by * b) ** 2 + (rise - bz * 0.4 * height) ** 2
                field = field - bump * np.exp(-d2 / (2.0 * (radius * 0.6) ** 2))
        return field

    def _isthmus(self, u: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
        style, thickness = self.style, self.isthmus_mm
        # The band reaches into the clearance, so that its posterior surface follows the airway.
        radius = float(self.airway.wall_radius(0.0)) + CLEARANCE_MM + 0.42 * thickness
        level = self.bottom_mm + style.isthmus_level * self.height_mm
        tall = style.isthmus_height_factor * max(thickness, 3.0)
        from_axis = length(u, w)
        reach = length((from_axis - radius) / (0.5 * thickness), (z - level) / (0.5 * tall))
        band = smooth_max((reach - 1.0) * 0.5 * thickness, 3.0 - w, 3.0)
        if style.pyramid is None:
            return band
        aside, tall_pyramid, slim = style.pyramid
        root = level + 0.25 * tall
        top = min(root + tall_pyramid, self.bottom_mm + 0.92 * self.height_mm)
        t = np.clip((z - root) / max(top - root, 1.0), 0.0, 1.0)
        axis_w = np.sqrt(np.maximum(self.airway.wall_radius(z) ** 2 - aside * aside, 9.0)) + slim
        beyond = z - np.clip(z, root, top)
        rod = np.sqrt((u - aside * (1.0 - 0.3 * t)) ** 2 + (w - axis_w) ** 2 + beyond * beyond)
        return smooth_min(band, rod - slim * (1.0 - 0.35 * t), 2.5)
