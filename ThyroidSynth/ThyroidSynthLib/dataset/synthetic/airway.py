"""The airway of the example neck: where the gland sits on, and the trachea mask.

Everything of the example anatomy is defined in the **neck frame** (mm): RAS-like axes, origin at the centre of
the airway at the cricoid's lower border, which is where the trachea begins. :class:`Pose` takes it to the
patient (``ras_mm``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WALL_MM = 1.6
_LEVELLING_MM = 240.0  # the trachea's backward slope is gone this far below the cricoid


def smooth_max(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Maximum of two distance fields (intersection) with a fillet of about ``blend_mm``."""
    overlap = np.maximum(blend_mm - np.abs(a - b), 0.0) / blend_mm
    return np.maximum(a, b) + overlap * overlap * (0.25 * blend_mm)


def smooth_min(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Minimum of two distance fields (union) with a fillet of about ``blend_mm``."""
    return -smooth_max(-a, -b, blend_mm)


def length(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Length of (u, w); several times faster than ``np.hypot``, whose care for overflow is not needed here."""
    return np.sqrt(u * u + w * w)


@dataclass(frozen=True)
class Pose:
    """How the patient lies: a rigid transform from the neck frame to ``ras_mm``.

    Attributes
    ----------
    rotation
        (3, 3) rotation from neck axes to RAS axes.
    offset_mm
        (3,) position of the neck frame's origin in RAS.
    """

    rotation: np.ndarray
    offset_mm: np.ndarray

    def to_ras(self, points: np.ndarray) -> np.ndarray:
        """Map (..., 3) neck-frame points to ``ras_mm``."""
        return points @ self.rotation.T + self.offset_mm

    def to_neck(self, points: np.ndarray) -> np.ndarray:
        """Map (..., 3) ``ras_mm`` points to the neck frame."""
        return (points - self.offset_mm) @ self.rotation

    def to_neck_axes(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Map (..., 3) ``ras_mm`` points to single-precision neck coordinates x, y and z, each (...)."""
        # Relative to the neck first: patient coordinates of hundreds of mm would cost precision.
        moved = (points - self.offset_mm).astype(np.float32) @ self.rotation.astype(np.float32)
        return tuple(np.ascontiguousarray(moved[..., axis]) for axis in range(3))


@dataclass(frozen=True)
class Airway:
    """A gently curved tube; below z = 0 it is the trachea, above it the larynx.

    Attributes
    ----------
    radius_mm
        Radius of the lumen.
    tilt
        Slope dy/dz at the cricoid: the trachea runs backwards on its way down.
    lean
        Slope dx/dz, constant.
    bow_mm
        Sideways bow of the trachea, at its largest 60 mm below the cricoid.
    length_mm
        From the cricoid to the carina.
    """

    radius_mm: float
    tilt: float
    lean: float
    bow_mm: float
    length_mm: float

    def centre(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centre (x, y) of the tube at the heights ``z``."""
        below = np.clip(z, -self.length_mm, 0.0)
        x = self.lean * z + self.bow_mm * np.sin(np.pi * below / 120.0) * -1.0
        y = self.tilt * (z + below * below / (2.0 * _LEVELLING_MM))
        return x, y

    def wall_radius(self, z: np.ndarray) -> np.ndarray:
        """Outer radius at the heights ``z``; it widens to the cricoid and thyroid cartilage above z = 0."""
        rise = np.clip(z / 14.0, 0.0, 1.0)
        return self.radius_mm + WALL_MM + 3.0 * rise * rise * (3.0 - 2.0 * rise)

    def wall_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Approximate distance to the outer wall in mm, negative inside."""
        cx, cy = self.centre(z)
        return length(x - cx, y - cy) - self.wall_radius(z)

    def lumen_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Approximate distance to the lumen's surface in mm, negative inside: flattened at the back."""
        cx, cy = self.centre(z)
        u, w = x - cx, y - cy
        return smooth_max(length(u, w) - self.radius_mm, -w - 0.72 * self.radius_mm, 2.5)

    def trachea_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Distance field of the trachea's lumen: the airway between the cricoid and the carina."""
        ends = np.maximum(z, -self.length_mm - z)
        return np.maximum(self.lumen_distance(x, y, z), ends)

    def centre_of_mass(self, lowest_z: float) -> np.ndarray:
        """(3,) centre of mass (neck frame) of the trachea above ``lowest_z``, the flattened back left aside."""
        z = np.linspace(max(lowest_z, -self.length_mm), 0.0, 200)
        x, y = self.centre(z)
        return np.array([x.mean(), y.mean(), z.mean()])
