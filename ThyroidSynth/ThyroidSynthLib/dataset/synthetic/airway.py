"""The airway of an example case, on which the thyroid lies, and its pose in the patient.

The example anatomy is defined in the **neck frame** (mm): axes like RAS, origin at the centre of the airway at
the lower border of the cricoid, where the trachea begins. `Pose` maps it to the patient (`ras_mm`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WALL_MM = 1.6
_LEVELLING_MM = 240.0  # distance below the cricoid at which the trachea no longer slopes backwards


def smooth_max(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Return the maximum of two distance fields (intersection) with a fillet of about `blend_mm`."""
    overlap = np.maximum(blend_mm - np.abs(a - b), 0.0) / blend_mm
    return np.maximum(a, b) + overlap * overlap * (0.25 * blend_mm)


def smooth_min(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Return the minimum of two distance fields (union) with a fillet of about `blend_mm`."""
    return -smooth_max(-a, -b, blend_mm)


def length(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the length of (u, w), several times faster than ``np.hypot``, which guards against overflow."""
    return np.sqrt(u * u + w * w)


@dataclass(frozen=True)
class Pose:
    """The pose of the patient: rotation (3, 3) from neck axes to RAS axes, and origin (3,) of the neck frame in RAS."""

    rotation: np.ndarray
    offset_mm: np.ndarray

    def to_ras(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 3) of the neck frame to `ras_mm`."""
        return points @ self.rotation.T + self.offset_mm

    def to_neck(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 3) in `ras_mm` to the neck frame."""
        return (points - self.offset_mm) @ self.rotation

    def to_neck_axes(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Map points (..., 3) in `ras_mm` to single-precision neck coordinates x, y and z, each (...)."""
        # The offset is subtracted first, because coordinates of hundreds of mm lose precision.
        moved = (points - self.offset_mm).astype(np.float32) @ self.rotation.astype(np.float32)
        x, y, z = (np.ascontiguousarray(moved[..., axis]) for axis in range(3))
        return x, y, z


@dataclass(frozen=True)
class Airway:
    """A slightly curved tube: the trachea below z = 0, the larynx above.

    Attributes
    ----------
    radius_mm : float
        Radius of the lumen.
    tilt : float
        Slope dy/dz at the cricoid: downwards the trachea runs backwards.
    lean : float
        Constant slope dx/dz.
    bow_mm : float
        Lateral bow of the trachea, largest 60 mm below the cricoid.
    length_mm : float
        Distance from the cricoid to the carina.
    """

    radius_mm: float
    tilt: float
    lean: float
    bow_mm: float
    length_mm: float

    def centre(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the centre (x, y) of the tube at the heights `z`."""
        below = np.clip(z, -self.length_mm, 0.0)
        x = self.lean * z - self.bow_mm * np.sin(np.pi * below / 120.0)
        y = self.tilt * (z + below * below / (2.0 * _LEVELLING_MM))
        return x, y

    def wall_radius(self, z: np.ndarray | float) -> np.ndarray:
        """Return the outer radius at the heights `z`; above z = 0 it widens to the cricoid and thyroid cartilage."""
        rise = np.clip(z / 14.0, 0.0, 1.0)
        return self.radius_mm + WALL_MM + 3.0 * rise * rise * (3.0 - 2.0 * rise)

    def wall_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate distance in mm to the outer wall, negative inside."""
        cx, cy = self.centre(z)
        return length(x - cx, y - cy) - self.wall_radius(z)

    def lumen_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate distance in mm to the lumen, which is flattened at the back; negative inside."""
        cx, cy = self.centre(z)
        u, w = x - cx, y - cy
        return smooth_max(length(u, w) - self.radius_mm, -w - 0.72 * self.radius_mm, 2.5)

    def trachea_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate distance in mm to the lumen between cricoid and carina, negative inside."""
        return np.maximum(self.lumen_distance(x, y, z), np.maximum(z, -self.length_mm - z))

    def centre_of_mass(self, lowest_z: float) -> np.ndarray:
        """Return the centre of mass (3,) of the trachea above `lowest_z`, without its flattened back."""
        z = np.linspace(max(lowest_z, -self.length_mm), 0.0, 200)
        x, y = self.centre(z)
        return np.array([x.mean(), y.mean(), z.mean()])
