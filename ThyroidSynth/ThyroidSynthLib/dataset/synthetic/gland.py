"""The implicit shape of an example thyroid: two lobes on the airway, an isthmus, sometimes a pyramidal lobe.

The shape is the zero level of :meth:`Gland.field`, which is roughly a distance in mm, negative inside. It is an
invention that looks like a thyroid, made for testing software; nothing about anatomy can be learned from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .airway import Airway, length, smooth_max, smooth_min

CLEARANCE_MM = 0.7
"""Gap kept between the gland and the airway's wall."""


@dataclass(frozen=True)
class GlandStyle:
    """Everything about a gland that its targets (volume, extents, isthmus area) leave open.

    Pairs are (right, left).

    Attributes
    ----------
    width_factor, depth_factor, height_factor
        Size of each lobe relative to the gland's common width, depth and height.
    inner_edge
        Where a lobe begins, as a fraction of the airway's outer radius from its axis.
    level_mm
        Height of the lobes' middle above the cricoid.
    height_offset_mm
        Height of each lobe's middle relative to ``level_mm``.
    forward_mm
        How far each lobe's axis lies in front of the airway's axis.
    backward_lean
        Slope of each lobe's axis relative to the airway's (negative: upper poles lie further back).
    spread
        Sideways slope of each lobe's axis (positive: upper poles further apart).
    turn
        Rotation of each lobe's section about the body axis, radians; positive turns its back outwards.
    taper
        How strongly each lobe's upper pole tapers.
    isthmus_level, isthmus_height_factor
        Height of the isthmus within the lobes (0 lower pole, 1 upper pole) and its height over its thickness.
    pyramid
        None, or (sideways offset in mm, length in mm, radius in mm) of the pyramidal lobe.
    gap_mm
        Distance between the lobes where there is no isthmus.
    waves
        (n, 7) low-frequency displacements: wave vector (3, rad/mm), phase, amplitude vector (3, mm).
    bumps
        (m, 6) nodules: lobe (0 right, 1 left), position in the lobe (3, in lobe semi-axes), radius and height in mm.
    only_lobe
        None, or the one lobe that is present (0 right, 1 left).
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
    """Draw the free part of a gland."""

    def pair(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
        # The lobes of one gland resemble each other more than those of two.
        values = np.clip(rng.normal(mean, 0.95 * sd) + rng.normal(0.0, 0.3 * sd, 2), low, high)
        return float(values[0]), float(values[1])

    # The right lobe is the larger one on average; one gland in twelve is strongly one-sided.
    bias = rng.normal(0.02, 0.035)
    if rng.random() < 0.08:
        bias = rng.choice([-1.0, 1.0], p=[0.4, 0.6]) * rng.uniform(0.12, 0.28)

    def sides(sd: float) -> tuple[float, float]:
        half = bias + rng.normal(0.0, sd)
        return float(np.exp(half)), float(np.exp(-half))

    height = sides(0.02)
    count = 4
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = rng.uniform(18.0, 45.0, (count, 1))
    amplitude = rng.standard_normal((count, 3)) * 0.014 * wavelength
    waves = np.hstack(
        [direction * 2.0 * np.pi / wavelength, rng.uniform(0.0, 2.0 * np.pi, (count, 1)), amplitude]
    ).astype(np.float32)
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
        height_factor=tuple(value / max(height) for value in height),
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
    airway
        What the gland hugs.
    style
        Its free part.
    half_width_mm, half_depth_mm, height_mm
        Common semi-axes of the lobes' sections and the lobes' height.
    isthmus_mm
        Thickness of the isthmus; 0 for none.
    midplane
        (4,) midsagittal plane of the trachea frame: unit normal and offset, in the neck frame.
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
        """Height of the lobes' lower end, the lobes being equally high."""
        return self.style.level_mm - self.height_mm / 2.0

    def field(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Evaluate the shape: roughly the distance in mm to its surface, negative inside."""
        px, py, pz = self._displaced(x, y, z)
        cx, cy = self.airway.centre(pz)
        u, w = px - cx, py - cy
        lobes = [self._lobe(side, u, w, pz) for side in (0, 1) if self.style.only_lobe in (None, side)]
        shape = lobes[0] if len(lobes) == 1 else np.minimum(*lobes)
        if self.isthmus_mm > 0.0:
            shape = smooth_min(shape, self._isthmus(u, w, pz), 2.5)
        else:
            nx, ny, nz, offset = self.midplane.tolist()  # plain floats keep the arrays in single precision
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
        # Height profile of the section: an ellipse's, made heavier below by the taper and normalised to 1.
        t = np.clip(rise / height + 0.5, -0.4, 1.4)
        taper = style.taper[side]
        peak = (taper + 2.0 - math.sqrt(taper * taper + 4.0)) / (2.0 * taper)
        profile = t * (1.0 - t) * np.exp(taper * (peak - t)) / (peak * (1.0 - peak))
        reach2 = across * across + along * along
        field = min(a, b) * (reach2 - profile) / (np.sqrt(reach2) + np.sqrt(np.maximum(profile, 0.0)) + 0.2)
        field = field + np.maximum(np.abs(rise) - 0.9 * height, 0.0)  # keeps growing beyond the clipped profile
        for lobe, bx, by, bz, radius, bump in style.bumps.tolist():
            if int(lobe) == side:
                d2 = (out - bx * a) ** 2 + (forward - by * b) ** 2 + (rise - bz * 0.4 * height) ** 2
                field = field - bump * np.exp(-d2 / (2.0 * (radius * 0.6) ** 2))
        return field

    def _isthmus(self, u: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
        style, thickness = self.style, self.isthmus_mm
        # The band is pushed a little into the clearance, so that its inner face is the airway's.
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
