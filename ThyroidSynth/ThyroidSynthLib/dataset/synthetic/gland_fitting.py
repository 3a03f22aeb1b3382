"""Fit an example thyroid to the volume, extents and isthmus area drawn for it.

Width, splay, depth and height of the lobes, the tilt of the airway, and thickness and height of the isthmus are
corrected iteratively until left-right extent, volume, superior-inferior extent, anterior-posterior extent and isthmus
area match. The tilt controls the anterior-posterior extent, as in patients, where the thyroid follows a trachea that
runs backwards. Where the sections of the lobes would become too flat or too deep, their poles are splayed instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.geometry.surface import Surface

from .airway import Airway, Pose
from .gland import Gland
from .population import GlandTarget, redraw_target
from .style import GlandStyle, draw_style

_TILT_RANGE, _LEAN_RANGE = (-0.05, 0.8), (-0.3, 0.5)
_HALF_DEPTH_RANGE_MM = (2.5, 26.0)
_DEPTH_OVER_WIDTH = (0.9, 1.9)
"""Range of the ratio of depth to width of the lobes; 1.2 to 1.6 in three real thyroids."""
_SPLAY_RANGE_MM = (-6.0, 16.0)
_TRACHEA_RANGE_MM = (12.0, 24.0)
_ROUNDS = 10
_FIT_STEP_MM, _PLANE_STEP_MM = 2.75, 0.8
_COARSE_VOLUME = 0.955  # volume of the surface relative to the one on the grid of this step, mean of 200 thyroids
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
    axes = [np.arange(a, b + step_mm, step_mm) + c for a, b, c in zip(low, high, neck.trachea_origin_ras, strict=True)]
    return Sampled(neck.gland.field(*neck.pose.grid_in_neck(axes)), np.array(low, dtype=float), step_mm)


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
            style = draw_style(
                rng,
                volume_ml=target.volume_ml,
                has_isthmus=target.isthmus_area_mm2 > 0.0,
                hemi_agenesis=target.hemi_agenesis,
            )
            neck = _fit(target, style, rng)
            if neck is not None:
                return neck, target
        target = redraw_target(target, rng)


def _large_box(neck: Neck) -> np.ndarray:
    gland, airway = neck.gland, neck.airway
    half_height = 0.62 * gland.height_mm + 10.0
    middle = gland.style.level_mm
    wide = 2.6 * gland.half_width_mm + airway.half_width_mm + max(gland.splay_mm, 0.0) + 18.0
    deep = 2.2 * gland.half_depth_mm + airway.semi_axes_mm[1] + 16.0 + 0.3 * gland.height_mm
    heights = np.array([middle - half_height, middle + half_height])
    cx, cy = airway.centre(heights)
    low = np.array([cx.min() - wide, cy.min() - deep, heights[0]])
    high = np.array([cx.max() + wide, cy.max() + deep, heights[1]])
    # The rotation of the pose by a few degrees is much less than these margins.
    return np.stack([low, high]) - neck.trachea_center_mm


def _fit(target: GlandTarget, style: GlandStyle, rng: np.random.Generator) -> Neck | None:
    volume, (lr, ap, si), area = target.volume_ml, target.extents_mm, target.isthmus_area_mm2
    lowest_z = -max(float(rng.uniform(58.0, 112.0)), 0.62 * si + 26.0)
    airway = _draw_airway(rng, tilt=float(np.clip((ap - 15.0) / si, 0.05, 0.75)))
    pose = _draw_pose(rng)
    lobes = 1 if style.only_lobe is not None else 2
    gland = Gland(
        airway=airway,
        style=style,
        half_width_mm=max((lr - 2.0 * airway.half_width_mm) / 4.0 + 2.0, 4.0) if lobes == 2 else lr / 2.0,
        half_depth_mm=float(np.clip(volume * 1000.0 / (2.2 * lobes * lr / 4.0 * si), 4.5, 18.0)),
        height_mm=si,
        splay_mm=0.0,
        lean=0.0,
        isthmus_mm=0.0 if area == 0.0 else float(np.sqrt(area / style.isthmus_height_factor * 4.0 / np.pi)),
        isthmus_z_mm=style.level_mm + (style.isthmus_level - 0.5) * si,
        midplane=np.zeros(4),
    )
    box = None
    for attempt in range(_ROUNDS):
        neck = _assemble(pose, airway, gland, lowest_z)
        sampled = sample_gland(neck, step_mm=_FIT_STEP_MM, box_mm=box)
        corners = sampled.box()
        measured_volume = _COARSE_VOLUME * sampled.volume_ml()
        if np.isnan(corners).any() or measured_volume < 0.2 or (box is None and sampled.open_at_edge()):
            return None
        measured = corners[1] - corners[0]
        error = np.abs(np.array([*measured, measured_volume]) / np.array([lr, ap, si, volume]) - 1.0).max()
        measured_area, level = _midsagittal_section(neck, corners) if area else (0.0, 0.0)
        area_error = abs(measured_area / area - 1.0) if area else 0.0
        if not sampled.open_at_edge() and error < _TOLERANCE and area_error < _AREA_TOLERANCE:
            return neck
        if (attempt >= 3 and error > 0.15) or (
            attempt >= 6 and error > 0.06
        ):  # at a limit: another style is faster than more rounds
            return None
        width = gland.half_width_mm + float(np.clip((lr - measured[0]) / (2.0 * lobes), -3.0, 3.0))
        depth = gland.half_depth_mm * float(np.clip(volume / measured_volume, 0.6, 1.6)) ** 0.8
        if width < 1.5:
            return None
        width, depth, splay = _in_proportion(width, float(np.clip(depth, *_HALF_DEPTH_RANGE_MM)), gland.splay_mm)
        # Beyond the range of the trachea's slope the lobes alone slope.
        slope = airway.tilt + gland.lean + 1.2 * float(np.clip((ap - measured[1]) / si, -0.15, 0.15))
        airway = replace(airway, tilt=float(np.clip(slope, *_TILT_RANGE)))
        thickness = gland.isthmus_mm
        if area:
            thickness *= float(np.clip(area / max(measured_area, 1.0), 0.5, 2.0)) ** 0.55
            if not 2.0 < thickness < 16.0:
                return None
        height = gland.height_mm * float(np.clip(si / measured[2], 0.8, 1.25))
        gland = replace(
            gland,
            airway=airway,
            half_width_mm=width,
            half_depth_mm=depth,
            height_mm=height,
            splay_mm=splay,
            lean=float(np.clip(slope - airway.tilt, *_LEAN_RANGE)),
            isthmus_mm=thickness,
            isthmus_z_mm=gland.isthmus_z_mm + (style.isthmus_level - level) * si if level else gland.isthmus_z_mm,
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


def _in_proportion(width: float, depth: float, splay: float) -> tuple[float, float, float]:
    """Return width, depth and splay of lobes of the same sectional area and outer border whose ratio is in range."""
    ratio = float(np.clip(depth / width, *_DEPTH_OVER_WIDTH))
    narrower = float(np.sqrt(width * depth / ratio))
    moved = float(np.clip(splay + 2.0 * (width - narrower), *_SPLAY_RANGE_MM))
    # At the limits of the splay the width does the rest.
    narrower = max(width - 0.5 * (moved - splay), 1.5)
    return narrower, width * depth / narrower, moved


def _midsagittal_section(neck: Neck, corners: np.ndarray) -> tuple[float, float]:
    """Return the area in mm2 and the height of the centre between the lower (0) and upper (1) end of the thyroid."""
    y, z = (np.arange(corners[0, axis] - 2.0, corners[1, axis] + 2.0, _PLANE_STEP_MM) for axis in (1, 2))
    plane = np.stack(np.broadcast_arrays(0.0, y[:, None], z[None, :]), axis=-1)
    share = np.clip(0.5 - neck.field_ras(plane + neck.trachea_origin_ras) / _PLANE_STEP_MM, 0.0, 1.0)
    total = float(share.sum())
    if total == 0.0:
        return 0.0, 0.0
    level = float((share * z).sum()) / total - float(corners[0, 2])
    return total * _PLANE_STEP_MM**2, level / float(corners[1, 2] - corners[0, 2])


def _draw_airway(rng: np.random.Generator, *, tilt: float) -> Airway:
    # Upper trachea of 200 adults (Zahedi-Nejad et al., Pol J Radiol 2011): 18.0 +- 2.4 mm wide and 20.6 +- 2.7 mm deep
    # in men, 14.8 +- 2.0 and 14.9 +- 2.4 mm in women.
    width, depth_ratio = ((18.0, 1.14), (14.8, 1.01))[int(rng.random() < 0.5)]
    width = float(np.clip(rng.normal(width, 2.0), *_TRACHEA_RANGE_MM))
    return Airway(
        width_mm=width,
        depth_mm=float(np.clip(width * rng.normal(depth_ratio, 0.1), *_TRACHEA_RANGE_MM)),
        tilt=tilt,
        lean=float(rng.normal(0.0, 0.02)),
        bow_mm=float(rng.normal(0.0, 1.0)),
        length_mm=float(rng.uniform(96.0, 108.0)),
    )


def _draw_pose(rng: np.random.Generator) -> Pose:
    roll_yaw = rng.normal(0.0, [1.0, 2.0])
    offset = rng.uniform([-15.0, -60.0, -400.0], [15.0, 60.0, 400.0])
    return Pose(Rotation.from_euler("yz", roll_yaw, degrees=True).as_matrix(), offset)
