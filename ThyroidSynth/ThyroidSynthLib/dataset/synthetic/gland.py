"""The implicit shape of an example thyroid: two lobes on the airway, an isthmus, sometimes a pyramidal lobe.

The surface is the zero set of `Gland.field`, an approximate SDF in mm, negative inside. The shape only resembles a
thyroid, for tests of software; nothing about anatomy can be concluded from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .airway import Airway, length, smooth_max, smooth_min
from .style import GlandStyle

CLEARANCE_MM = 0.8
"""Gap between the thyroid and the wall of the airway."""


@dataclass(frozen=True)
class Gland:
    """A thyroid on an airway, in the neck frame.

    Attributes
    ----------
    half_width_mm, half_depth_mm, height_mm
        Common semi-axes of the cross-sections of the lobes, and their height.
    splay_mm
        Lateral displacement of the upper poles, in part of the lower ones as well.
    lean
        Slope of the axes of both lobes relative to the airway's, besides those of the style.
    isthmus_mm, isthmus_z_mm
        Thickness of the isthmus, 0 for none, and the height of its middle.
    midplane
        Midsagittal plane of the trachea frame (4,): unit normal and offset, in the neck frame.
    """

    airway: Airway
    style: GlandStyle
    half_width_mm: float
    half_depth_mm: float
    height_mm: float
    splay_mm: float
    lean: float
    isthmus_mm: float
    isthmus_z_mm: float
    midplane: np.ndarray

    @property
    def bottom_mm(self) -> float:
        """Height of the lower end of lobes of the common height."""
        return self.style.level_mm - self.height_mm / 2.0

    def field(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate signed distance in mm to the surface, negative inside."""
        from_wall = self.airway.wall_distance(x, y, z)
        px, py, pz = self._displaced(x, y, z)
        cx, cy = self.airway.centre(pz)
        u, w = px - cx, py - cy
        lobes = [self._lobe(side, u, w, pz) for side in (0, 1) if self.style.only_lobe in (None, side)]
        shape = lobes[0] if len(lobes) == 1 else np.minimum(*lobes)
        for kx, ky, kz, phase, size in self.style.lobules.tolist():
            shape = shape + size * np.sin(kx * x + ky * y + kz * z + phase)
        if self.isthmus_mm > 0.0:
            shape = smooth_min(shape, self._isthmus(u, w, pz, from_wall), self.style.blend_mm)
        else:
            nx, ny, nz, offset = self.midplane.tolist()  # Python floats keep the arrays in single precision
            aside = nx * x + ny * y + nz * z - offset
            if self.style.only_lobe is None:
                aside = np.abs(aside)
            elif self.style.only_lobe == 1:
                aside = -aside
            shape = smooth_max(shape, self.style.gap_mm / 2.0 - aside, 3.0)
        return smooth_max(shape, CLEARANCE_MM - from_wall, 1.5)

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
        rise = z - (style.level_mm + style.height_offset_mm[side])
        t = np.clip(rise / height + 0.5, -0.4, 1.4)
        inner = style.inner_edge[side] * self.airway.half_width_mm
        out = sign * u - (inner + a + style.spread[side] * rise + self.splay_mm * (0.3 + 0.7 * t))
        forward = w - (style.forward_mm[side] + (style.backward_lean[side] + self.lean) * rise)
        cosine, sine = math.cos(style.turn[side]), math.sin(style.turn[side])
        along = (forward * cosine - out * sine) / b
        # The ends of the section bend towards the airway, and one half is wider than the other.
        bent = np.minimum(along * along, 2.0)
        across = (out * cosine + forward * sine) / a + style.curl[side] * (bent - 0.4)
        across = across * (1.0 - style.wedge[side] * np.clip(along, -1.2, 1.2))
        # Square of the size of the section along the lobe, at most 1; `lower` and `upper` of 1 each are an ellipsoid.
        lower, upper = style.lower_taper[side], style.upper_taper[side]
        peak = lower / (lower + upper)
        inside = np.clip(t, 0.0, 1.0)
        profile = (inside / peak) ** lower * ((1.0 - inside) / (1.0 - peak)) ** upper
        reach2 = across * across + along * along
        field = min(a, b) * (reach2 - profile) / (np.sqrt(reach2) + np.sqrt(profile) + 0.2)
        field = field + np.maximum(np.abs(rise) - 0.5 * height, 0.0)  # increases beyond the poles, too
        for lobe, bx, by, bz, radius, bump in style.bumps.tolist():
            if int(lobe) == side:
                d2 = (out - bx * a) ** 2 + (forward - by * b) ** 2 + (rise - bz * 0.4 * height) ** 2
                field = field - bump * np.exp(-d2 / (2.0 * (radius * 0.6) ** 2))
        return field

    def _isthmus(self, u: np.ndarray, w: np.ndarray, z: np.ndarray, from_wall: np.ndarray) -> np.ndarray:
        """Return the distance to a band around the front of the airway, whose sides may rise to the lobes (a "V")."""
        style, thickness = self.style, self.isthmus_mm
        tall = min(style.isthmus_height_factor * thickness, 0.4 * self.height_mm)
        # A round minimum of the height in the middle: a corner would make a notch.
        aside = length(u, 3.0) - 3.0
        level = self.isthmus_z_mm + style.isthmus_rise * aside
        # The band reaches into the clearance, so that its posterior surface follows the airway.
        middle = CLEARANCE_MM + 0.42 * thickness
        reach = length((from_wall - middle) / (0.5 * thickness), (z - level) / (0.5 * tall))
        band = smooth_max((reach - 1.0) * 0.5 * thickness, 2.0 - w, 3.0)
        if style.pyramid is None:
            return band
        off, tall_pyramid, slim = style.pyramid
        root = self.isthmus_z_mm + style.isthmus_rise * abs(off) + 0.25 * tall
        top = min(root + tall_pyramid, self.bottom_mm + 0.92 * self.height_mm)
        t = np.clip((z - root) / max(top - root, 1.0), 0.0, 1.0)
        beyond = z - np.clip(z, root, top)
        rod = np.sqrt((u - off * (1.0 - 0.3 * t)) ** 2 + (from_wall - CLEARANCE_MM - slim) ** 2 + beyond * beyond)
        rod = np.maximum(rod - slim * (1.0 - 0.35 * t), 2.0 - w)
        return smooth_min(band, rod, 2.5)
