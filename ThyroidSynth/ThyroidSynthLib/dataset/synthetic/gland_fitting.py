"""Fit an example thyroid to the volume, extents and isthmus area drawn for it.

Width, depth and height of the lobes, the tilt of the airway and the thickness of the isthmus are corrected
iteratively until left-right extent, volume, superior-inferior extent, anterior-posterior extent and isthmus area
match. The tilt controls the anterior-posterior extent, as in patients, where the thyroid follows a trachea that
runs backwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.geometry.surface import Surface

from .airway import Airway, Pose
from .gland import Gland, GlandStyle, draw_style
from .population import GlandTarget, redraw_target

_TILT_RANGE = (-0.05, 0.85)
_HALF_DEPTH_RANGE_MM = (4.2, 26.0)
_ROUNDS = 10
_FIT_STEP_MM, _PLANE_STEP_MM = 2.75, 0.8
_TOLERANCE = 0.025
_AREA_TOLERANCE = 0.12
_STYLES_PER_TARGET = 3


@dataclass(frozen=True)
class Neck:
    """A thyroid on its airway in a patient, and the lower end of the scan.

    Attributes
    ----------
    lowest_z_mm : float
        Lower end of the scan in the neck frame; the trachea mask ends there or at the carina.
    trachea_center_mm : ndarray, shape (3,)
        Centre of mass of the trachea in the scan, in the neck frame.
    """

    pose: Pose
    airway: Airway
    gland: Gland
    lowest_z_mm: float
    trachea_center_mm: np.ndarray

    @property
    def trachea_origin_ras(self) -> np.ndarray:
        """Origin of the trachea frame in `ras_mm`."""
        return self.pose.to_ras(self.trachea_center_mm)

    def field_ras(self, ras_mm: np.ndarray) -> np.ndarray:
        """Return the thyroid's approximate signed distance at points (..., 3) in `ras_mm`."""
        return self.gland.field(*self.pose.to_neck_axes(ras_mm))


@dataclass(frozen=True)
class Sampled:
    """The signed distances (nx, ny, nz) of a thyroid in mm on a grid of `trachea_mm`, by its first node and spacing."""

    values: np.ndarray
    origin_mm: np.ndarray
    step_mm: float

    def box(self) -> np.ndarray:
        """Return the lower and upper corner (2, 3) of the thyroid, interpolated between nodes; NaN if there is none."""
        corners = np.full((2, 3), np.nan)
        for axis in range(3):
            lowest = self.values.min(axis=tuple({0, 1, 2} - {axis}))
            inside = np.flatnonzero(lowest < 0.0)
            if len(inside) == 0:
                return corners
            for side, (index, step) in enumerate(((inside[0], -1), (inside[-1], 1))):
                beyond = index + step
                share = 0.0
                if 0 <= beyond < len(lowest):
                    share = float(lowest[index] / (lowest[index] - lowest[beyond]))
                corners[side, axis] = self.origin_mm[axis] + self.step_mm * (index + step * share)
        return corners

    def volume_ml(self) -> float:
        """Return the volume in mL; nodes near the surface count in part."""
        slope = np.sqrt(sum(np.square(part) for part in np.gradient(self.values)))
        share = np.clip(0.5 - self.values / np.maximum(slope, 1e-3), 0.0, 1.0)
        return float(share.sum()) * self.step_mm**3 / 1000.0

    def open_at_edge(self) -> bool:
        """Check whether the thyroid reaches the border of the grid."""
        inside = self.values < 0.0
        return any(np.take(inside, end, axis=axis).any() for axis in range(3) for end in (0, -1))

    def surface(self) -> Surface:
        """Return the surface of the thyroid in `trachea_mm`."""
        raw = surface_from_sdf(self.values)
        return raw.moved(raw.vertices * self.step_mm + self.origin_mm)


def sample_gland(neck: Neck, *, step_mm: float, box_mm: np.ndarray | None = None) -> Sampled:
    """Sample the signed distance of a thyroid on a grid in a box (2, 3) of `trachea_mm`; by default in a large one."""
    low, high = _large_box(neck) if box_mm is None else box_mm
    axes = [np.arange(a, b + step_mm, step_mm) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return Sampled(neck.field_ras(grid + neck.trachea_origin_ras), np.array(low, dtype=float), step_mm)


def gland_surface(neck: Neck, *, step_mm: float = 0.75) -> Surface:
    """Return the surface of the thyroid in `trachea_mm`, from a fine grid."""
    box = sample_gland(neck, step_mm=2.5).box()
    return sample_gland(neck, step_mm=step_mm, box_mm=box + np.array([[-3.0], [3.0]])).surface()


def draw_neck(target: GlandTarget, rng: np.random.Generator) -> tuple[Neck, GlandTarget]:
    """Draw a neck whose thyroid matches the target; return it with the target that was matched.

    If several styles fail, no thyroid of this model can match the target, and another target is drawn.
    """
    while True:
        for _ in range(_STYLES_PER_TARGET):
            style = draw_style(rng, has_isthmus=target.isthmus_area_mm2 > 0.0, hemi_agenesis=target.hemi_agenesis)
            neck = _fit(target, style, rng)
            if neck is not None:
                return neck, target
        target = redraw_target(target, rng)


def _large_box(neck: Neck) -> np.ndarray:
    gland, airway = neck.gland, neck.airway
    half_height = 0.62 * gland.height_mm + 10.0
    middle = gland.style.level_mm
    wide = 3.2 * gland.half_width_mm + 24.0
    deep = 2.2 * gland.half_depth_mm + 22.0 + 0.3 * gland.height_mm
    heights = np.array([middle - half_height, middle + half_height])
    cx, cy = airway.centre(heights)
    low = np.array([cx.min() - wide, cy.min() - deep, heights[0]])
    high = np.array([cx.max() + wide, cy.max() + deep, heights[1]])
    # The rotation of the pose by a few degrees is much less than these margins.
    return np.stack([low, high]) - neck.trachea_center_mm


def _fit(target: GlandTarget, style: GlandStyle, rng: np.random.Generator) -> Neck | None:
    volume, (lr, ap, si), area = target.volume_ml, target.extents_mm, target.isthmus_area_mm2
    lowest_z = -max(float(rng.uniform(58.0, 112.0)), 0.62 * si + 26.0)
    airway = Airway(
        radius_mm=float(np.clip(rng.normal(8.2, 0.8), 6.5, 10.0)),
        tilt=float(np.clip((ap - 15.0) / si, 0.05, 0.75)),
        lean=float(rng.normal(0.0, 0.01)),
        bow_mm=float(rng.normal(0.0, 0.7)),
        length_mm=float(rng.uniform(96.0, 108.0)),
    )
    pose = _draw_pose(rng)
    lobes = 1 if style.only_lobe is not None else 2
    gland = Gland(
        airway=airway,
        style=style,
        half_width_mm=max(lr / 4.0 - 1.5, 5.0),
        half_depth_mm=float(np.clip(volume * 1000.0 / (2.2 * lobes * lr / 4.0 * si), 4.5, 18.0)),
        height_mm=si,
        isthmus_mm=0.0 if area == 0.0 else float(np.sqrt(area / style.isthmus_height_factor * 4.0 / np.pi)),
        midplane=np.zeros(4),
    )
    box = None
    for attempt in range(_ROUNDS):
        neck = _assemble(pose, airway, gland, lowest_z)
        sampled = sample_gland(neck, step_mm=_FIT_STEP_MM, box_mm=box)
        corners = sampled.box()
        measured_volume = sampled.volume_ml()
        if np.isnan(corners).any() or measured_volume < 0.2 or (box is None and sampled.open_at_edge()):
            return None
        measured = corners[1] - corners[0]
        error = np.abs(np.array([*measured, measured_volume]) / np.array([lr, ap, si, volume]) - 1.0).max()
        measured_area = _midplane_area(neck, corners) if area else 0.0
        area_error = abs(measured_area / area - 1.0) if area else 0.0
        if not sampled.open_at_edge() and error < _TOLERANCE and area_error < _AREA_TOLERANCE:
            return neck
        if attempt >= 3 and error > 0.15:  # at a limit: another style is faster than more rounds
            return None
        width = gland.half_width_mm + np.clip((lr - measured[0]) / (2.0 * lobes), -3.0, 3.0)
        depth = gland.half_depth_mm * float(np.clip(volume / measured_volume, 0.6, 1.6)) ** 0.8
        tilt = airway.tilt + 1.2 * float(np.clip((ap - measured[1]) / si, -0.15, 0.15))
        if width < 3.5:
            return None
        airway = replace(airway, tilt=float(np.clip(tilt, *_TILT_RANGE)))
        thickness = gland.isthmus_mm
        if area:
            thickness *= float(np.clip(area / max(measured_area, 1.0), 0.5, 2.0)) ** 0.55
            if not 2.0 < thickness < 16.0:
                return None
        gland = replace(
            gland,
            airway=airway,
            half_width_mm=float(width),
            half_depth_mm=float(np.clip(depth, *_HALF_DEPTH_RANGE_MM)),
            height_mm=gland.height_mm * float(np.clip(si / measured[2], 0.8, 1.25)),
            isthmus_mm=thickness,
        )
        # The next shape is similar, so the margin of the box only has to hold one correction.
        box = corners + np.array([[-6.0], [6.0]])
        box[:, 1] -= airway.centre_of_mass(lowest_z)[1] - neck.trachea_center_mm[1]
    return None


def _assemble(pose: Pose, airway: Airway, gland: Gland, lowest_z: float) -> Neck:
    center = airway.centre_of_mass(lowest_z)
    normal = pose.rotation[0]  # the RAS x axis in the neck frame
    plane = np.append(normal, normal @ center)
    return Neck(pose, airway, replace(gland, airway=airway, midplane=plane), lowest_z, center)


def _midplane_area(neck: Neck, corners: np.ndarray) -> float:
    y, z = (np.arange(corners[0, axis] - 2.0, corners[1, axis] + 2.0, _PLANE_STEP_MM) for axis in (1, 2))
    plane = np.stack(np.broadcast_arrays(0.0, y[:, None], z[None, :]), axis=-1)
    field = neck.field_ras(plane + neck.trachea_origin_ras)
    return float(np.clip(0.5 - field / _PLANE_STEP_MM, 0.0, 1.0).sum()) * _PLANE_STEP_MM**2


def _draw_pose(rng: np.random.Generator) -> Pose:
    roll_yaw = rng.normal(0.0, [1.0, 2.0])
    offset = rng.uniform([-15.0, -60.0, -400.0], [15.0, 60.0, 400.0])
    return Pose(Rotation.from_euler("yz", roll_yaw, degrees=True).as_matrix(), offset)
