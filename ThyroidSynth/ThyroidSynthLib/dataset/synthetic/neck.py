"""The CT of an example case: the tissues around thyroid and airway, in Hounsfield units.

Tissues are painted over each other with soft edges, from the outside in. All shapes follow the tilt of the airway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .airway import Airway, length, smooth_max

AIR, FAT, SKIN, MUSCLE, BLOOD, CORD = -1000.0, -95.0, 20.0, 55.0, 42.0, 35.0
_EDGE_MM = 1.6


@dataclass(frozen=True)
class NeckPlan:
    """The properties of a neck besides airway and thyroid.

    Attributes
    ----------
    reach_mm
        Lateral extent of the thyroid from the axis of the airway (right, left); the vessels lie beyond it.
    front_mm
        Anterior extent of the thyroid from the axis of the airway; the skin lies beyond it.
    thyroid_hu, artery_hu, vein_hu
        Attenuation in Hounsfield units.
    disc_phase_mm
        Position of an intervertebral disc along the body axis.
    carotid_mm
        Radius of the common carotid arteries (right, left).
    carotid_back_mm
        Distance of their axes behind that of the airway (right, left).
    esophagus_mm
        Distance of the oesophagus to the left of the axis of the airway, and its half width and half depth.
    """

    contrast: bool
    reach_mm: tuple[float, float]
    front_mm: float
    thyroid_hu: float
    artery_hu: float
    vein_hu: float
    noise_hu: float
    disc_phase_mm: float
    carotid_mm: tuple[float, float]
    carotid_back_mm: tuple[float, float]
    esophagus_mm: tuple[float, float, float]


def draw_neck_plan(rng: np.random.Generator, *, reach_mm: tuple[float, float], front_mm: float) -> NeckPlan:
    """Draw the neck around a thyroid of these extents."""
    contrast = bool(rng.random() < 0.6)
    return NeckPlan(
        contrast=contrast,
        reach_mm=reach_mm,
        front_mm=front_mm,
        thyroid_hu=float(rng.normal(185.0, 18.0) if contrast else rng.normal(108.0, 9.0)),
        artery_hu=float(rng.normal(260.0, 35.0) if contrast else BLOOD),
        vein_hu=float(rng.normal(190.0, 30.0) if contrast else BLOOD),
        noise_hu=float(rng.uniform(9.0, 16.0)),
        disc_phase_mm=float(rng.uniform(0.0, 17.0)),
        # Lumen of 6.5 +- 1.0 mm in men, 6.1 +- 0.8 mm in women (Krejza et al., Stroke 2006).
        carotid_mm=_pair(rng, 3.15, 0.45, 2.3, 4.3),
        carotid_back_mm=_pair(rng, 8.0, 2.5, 2.0, 14.0),
        esophagus_mm=(
            float(np.clip(rng.normal(3.5, 1.5), 0.0, 7.0)),
            float(rng.uniform(6.0, 9.0)),
            float(rng.uniform(3.0, 4.6)),
        ),
    )


def _pair(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    right, left = np.clip(rng.normal(mean, sd, 2), low, high).tolist()
    return right, left


def neighbours(airway: Airway, plan: NeckPlan, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """Return the signed distances (mm) of neighbouring structures by the names of their TotalSegmentator classes."""
    cx, cy = airway.centre(z)
    u, w = x - cx, y - cy
    behind = airway.back_mm
    aside, half_width, half_depth = plan.esophagus_mm
    right, left = plan.carotid_mm
    back_right, back_left = plan.carotid_back_mm
    return {
        # The oesophagus lies behind the trachea, a little to the left (negative x).
        "esophagus": _ellipse(u + aside, w + behind + half_depth, half_width, half_depth),
        "common_carotid_artery_right": _ellipse(u - plan.reach_mm[0] - right, w + back_right, right, right),
        "common_carotid_artery_left": _ellipse(u + plan.reach_mm[1] + left, w + back_left, left, left),
        "spinal_cord": _ellipse(u, w - _canal(airway), 6.0, 4.2),
    }


def paint_ct(
    airway: Airway,
    plan: NeckPlan,
    points: tuple[np.ndarray, np.ndarray, np.ndarray],
    gland: np.ndarray,
    around: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the CT in Hounsfield units (int16).

    Parameters
    ----------
    points
        x, y and z of every voxel in the neck frame.
    gland
        Signed distance of the thyroid at every voxel.
    around
        Result of `neighbours`.
    """
    x, y, z = points
    cx, cy = airway.centre(z)
    u, w = x - cx, y - cy
    hu = np.full(z.shape, AIR, dtype=np.float32)

    shoulders = np.clip((-z - 35.0) / 60.0, 0.0, 1.0)
    half_width = max(56.0, max(plan.reach_mm) + 24.0) + 50.0 * shoulders * shoulders
    front = plan.front_mm + 8.0 + 10.0 * shoulders
    half_depth = (front + 82.0) / 2.0
    rim = length(u / half_width, (w - front + half_depth) / half_depth)
    body = (rim - 1.0) * np.minimum(half_width, half_depth)
    _paint(hu, SKIN, body)
    _paint(hu, FAT, body + 2.2)

    _paint(hu, MUSCLE, smooth_max(_ellipse(u, w + 60.0, 46.0, 30.0), body + 6.0, 4.0))
    aside = np.abs(u)
    sternomastoid = max(plan.reach_mm) + 12.0 + 0.12 * z
    muscle = _ellipse(aside - sternomastoid, w + 1.0 + 0.15 * z, 9.0, 13.0)
    _paint(hu, MUSCLE + 3.0, smooth_max(muscle, body + 5.0, 3.0))
    straps = smooth_max(np.abs(gland - 3.6) - 1.7, 2.0 - w, 2.0)
    _paint(hu, MUSCLE, np.maximum(straps, body + 4.0))
    spine = _spine(airway)
    _paint(hu, MUSCLE - 5.0, _ellipse(aside - 8.0, w - spine - 12.0, 7.5, 4.0))

    _paint_spine(hu, aside, w, z, spine, _canal(airway), plan)
    _paint(hu, CORD - 20.0, _ellipse(u, w - _canal(airway), 9.0, 6.5))
    _paint(hu, CORD, around["spinal_cord"])
    _paint(hu, MUSCLE - 15.0, around["esophagus"])
    _paint(hu, plan.vein_hu, _ellipse(u - plan.reach_mm[0] - 10.0, w + 5.0, 6.2, 5.0))
    _paint(hu, plan.vein_hu, _ellipse(u + plan.reach_mm[1] + 9.0, w + 5.0, 5.0, 4.2))
    for side in ("right", "left"):
        _paint(hu, plan.artery_hu, around[f"common_carotid_artery_{side}"])
    _paint(hu, plan.thyroid_hu, gland)

    # Lung apices, if the scan extends to them.
    apex = np.sqrt(((aside - 44.0) / 24.0) ** 2 + ((w + 18.0) / 30.0) ** 2 + ((z + 122.0) / 42.0) ** 2)
    _paint(hu, -850.0, (apex - 1.0) * 24.0)

    cartilage = np.clip(z / 8.0, 0.0, 1.0)
    _paint(hu, 65.0 + 95.0 * cartilage, airway.wall_distance(x, y, z))
    _paint(hu, AIR, airway.lumen_distance(x, y, z))

    hu += plan.noise_hu * 1.9 * rng.standard_normal(hu.shape, dtype=np.float32)
    # The blur of the scanner also correlates the noise; the factor 1.9 compensates for its attenuation.
    hu = ndimage.gaussian_filter(hu, 0.55, truncate=3.0)
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)


def _paint_spine(
    hu: np.ndarray, aside: np.ndarray, w: np.ndarray, z: np.ndarray, spine: float, canal: float, plan: NeckPlan
) -> None:
    body = _ellipse(aside, w - spine, 13.0, 9.0)
    from_disc = np.abs((z - plan.disc_phase_mm + 8.5) % 17.0 - 8.5)
    arch = np.abs(_ellipse(aside, w - canal, 12.0, 9.5)) - 2.2
    process = _ellipse(aside, w - canal + 17.0, 3.0, 9.0)
    wing = _ellipse(aside - 17.0, w - spine + 5.0, 7.0, 4.0)
    bone = np.minimum(np.minimum(arch, process), wing)
    _paint(hu, 420.0, np.maximum(bone, 3.0 - from_disc))
    _paint(hu, 85.0, body)
    vertebra = smooth_max(body, 2.4 - from_disc, 1.0)
    _paint(hu, 620.0, vertebra)
    _paint(hu, 210.0, vertebra + 2.0)


def _spine(airway: Airway) -> float:
    """Return the position of the axis of the vertebral bodies, posterior to that of the airway."""
    return -(airway.back_mm + 22.0)


def _canal(airway: Airway) -> float:
    return _spine(airway) - 15.5


def _ellipse(u: np.ndarray, w: np.ndarray, a: float, b: float) -> np.ndarray:
    return (length(u / a, w / b) - 1.0) * min(a, b)


def _paint(hu: np.ndarray, value: float | np.ndarray, distance: np.ndarray) -> None:
    share = np.clip(0.5 - distance / _EDGE_MM, 0.0, 1.0)
    hu += (value - hu) * share
