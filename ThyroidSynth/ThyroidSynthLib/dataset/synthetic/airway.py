"""The airway of an example case, on which the thyroid lies, and its pose in the patient.

The example anatomy is defined in the **neck frame** (mm): axes like RAS, origin at the centre of the airway at
the lower border of the cricoid, where the trachea begins. `Pose` maps it to the patient (`ras_mm`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

WALL_MM = 2.2
"""Thickness of the wall around the lumen: 1 to 3 mm in CT."""
_CARTILAGE_MM, _CARTILAGE_RISE_MM = (
    4.5,
    22.0,
)  # the larynx is thicker than the trachea by this, so high above the cricoid
_FLAT_BACK = 0.72  # distance of the flattened back from the axis, as a share of the semi-axis
_LEVELLING_MM = 240.0  # distance below the cricoid at which the trachea no longer slopes backwards


def smooth_max(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Return the maximum of two distance fields (intersection) with a fillet of about `blend_mm`."""
    overlap = np.maximum(blend_mm - np.abs(a - b), 0.0) / blend_mm
    return np.maximum(a, b) + overlap * overlap * (0.25 * blend_mm)


def smooth_min(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Return the minimum of two distance fields (union) with a fillet of about `blend_mm`."""
    return -smooth_max(-a, -b, blend_mm)


def length(u: np.ndarray, w: np.ndarray | float) -> np.ndarray:
    """Return the length of (u, w), several times faster than ``np.hypot``, which guards against overflow."""
    return np.sqrt(u * u + w * w)


def ellipse_distance(u: np.ndarray, w: np.ndarray, a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """Return the distance in mm to an ellipse of these semi-axes, to first order; negative inside."""
    scaled_u, scaled_w = u / a, w / b
    size = length(scaled_u, scaled_w)
    return size * (size - 1.0) / (length(scaled_u / a, scaled_w / b) + 1e-6)


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

    def grid_in_neck(self, axes_ras: list[np.ndarray]) -> list[np.ndarray]:
        """Return single-precision neck coordinates x, y, z, each (nx, ny, nz), of a grid of these RAS coordinates."""
        shifted = [axis - offset for axis, offset in zip(axes_ras, self.offset_mm, strict=True)]
        coordinates = []
        for row in self.rotation.T:
            x, y, z = np.ix_(*((axis * share).astype(np.float32) for axis, share in zip(shifted, row, strict=True)))
            coordinates.append(x + y + z)
        return coordinates


@dataclass(frozen=True)
class Airway:
    """A slightly curved tube of elliptic sections: the trachea below z = 0, the larynx above.

    Attributes
    ----------
    width_mm, depth_mm : float
        Diameters of the lumen, left-right and perpendicular to both this and the axis of the tube.
    tilt : float
        Slope dy/dz at the cricoid: downwards the trachea runs backwards.
    lean : float
        Constant slope dx/dz.
    bow_mm : float
        Lateral bow of the trachea, largest 60 mm below the cricoid.
    length_mm : float
        Distance from the cricoid to the carina.
    """

    width_mm: float
    depth_mm: float
    tilt: float
    lean: float
    bow_mm: float
    length_mm: float

    @property
    def semi_axes_mm(self) -> tuple[float, float]:
        """Semi-axes of a horizontal section of the lumen; a tilted tube is deeper in such a section."""
        return self.width_mm / 2.0, self.depth_mm / 2.0 * math.sqrt(1.0 + self.tilt * self.tilt)

    @property
    def half_width_mm(self) -> float:
        """Half the outer width of the trachea."""
        return self.width_mm / 2.0 + WALL_MM

    @property
    def back_mm(self) -> float:
        """Distance of the outer posterior surface of the trachea behind its axis."""
        return _FLAT_BACK * self.semi_axes_mm[1] + WALL_MM

    def centre(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the centre (x, y) of the tube at the heights `z`."""
        below = np.clip(z, -self.length_mm, 0.0)
        x = self.lean * z - self.bow_mm * np.sin(np.pi * below / 120.0)
        y = self.tilt * (z + below * below / (2.0 * _LEVELLING_MM))
        return x, y

    def wall_mm(self, z: np.ndarray | float) -> np.ndarray:
        """Return the thickness of the wall at the heights `z`; above z = 0 it grows to that of the larynx."""
        rise = np.clip(z / _CARTILAGE_RISE_MM, 0.0, 1.0)
        return WALL_MM + _CARTILAGE_MM * rise * rise * (3.0 - 2.0 * rise)

    def wall_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate distance in mm to the outer wall, negative inside."""
        cx, cy = self.centre(z)
        wall = self.wall_mm(z)
        a, b = self.semi_axes_mm
        return ellipse_distance(x - cx, y - cy, a + wall, b + wall)

    def lumen_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate distance in mm to the lumen, which is flattened at the back; negative inside."""
        cx, cy = self.centre(z)
        u, w = x - cx, y - cy
        a, b = self.semi_axes_mm
        return smooth_max(ellipse_distance(u, w, a, b), -w - _FLAT_BACK * b, 2.5)

    def trachea_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the approximate distance in mm to the lumen between cricoid and carina, negative inside."""
        return np.maximum(self.lumen_distance(x, y, z), np.maximum(z, -self.length_mm - z))

    def centre_of_mass(self, lowest_z: float) -> np.ndarray:
        """Return the centre of mass (3,) of the trachea above `lowest_z`, without its flattened back."""
        z = np.linspace(max(lowest_z, -self.length_mm), 0.0, 200)
        x, y = self.centre(z)
        return np.array([x.mean(), y.mean(), z.mean()])
