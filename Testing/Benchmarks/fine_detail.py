"""A cohort with fine detail: two lobes with lobules and nodules a few millimetres wide, made without any image.

The example cohort is smoother, so it says little about how well a network represents details.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.cohort_writing import write_cohort_from_surfaces
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.geometry.surface import Surface

_STEP_MM = 0.75
_HALF_BOX_MM = np.array([36.0, 24.0, 38.0])


def write_fine_cohort(folder: Path, *, cases: int, seed: int = 0) -> Cohort:
    """Write a cohort of `cases` glands with fine detail and open it."""
    rng = np.random.default_rng(seed)
    return write_cohort_from_surfaces(
        folder,
        (fine_gland(rng) for _ in range(cases)),
        [f"fine{number:03d}" for number in range(cases)],
        synthetic=True,
        statement="Lobes with lobules and nodules for benchmarks, not anatomy.",
    )


def fine_gland(rng: np.random.Generator) -> Surface:
    """Draw a gland in `trachea_mm`: lobes and isthmus as ellipsoids, lobules as waves, nodules as bumps."""
    axes = [np.arange(-half, half + _STEP_MM, _STEP_MM) for half in _HALF_BOX_MM]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    size = rng.normal(1.0, 0.1)
    semi_axes = size * rng.uniform((8.0, 7.5, 18.0), (10.5, 10.0, 24.0))
    offset, ratio = rng.uniform(13.0, 17.0), rng.uniform(0.8, 1.2)
    lobes = [
        _ellipsoid(points, np.array([side * offset, 0.0, 0.0]), semi_axes * scale, lean=side * rng.uniform(0.05, 0.15))
        for side, scale in ((-1, ratio**0.5), (1, ratio**-0.5))
    ]
    field = np.minimum(*lobes)
    if rng.random() < 0.7:
        semi_axes = np.array([offset, *(size * rng.uniform((2.5, 5.0), (4.0, 9.0)))])
        isthmus = _ellipsoid(points, np.array([0.0, 4.0, rng.uniform(-9.0, -3.0)]), semi_axes)
        field = -3.0 * np.logaddexp(-field / 3.0, -isthmus / 3.0)  # joined smoothly
    for _ in range(3):
        direction = rng.standard_normal(3)
        wave = points @ (direction / np.linalg.norm(direction)) * (2 * np.pi / rng.uniform(8.0, 14.0))
        field = field - rng.uniform(0.3, 0.6) * np.sin(wave + rng.uniform(0, 2 * np.pi))
    near = points[np.abs(field) < _STEP_MM]
    for centre in near[rng.integers(len(near), size=12)]:
        radius = rng.uniform(1.8, 3.5)
        nearness = np.exp(-((points - centre) ** 2).sum(axis=-1) / (2 * radius**2))
        field = field - rng.uniform(0.8, 1.8) * nearness
    surface = surface_from_sdf(np.maximum(field, -_wall(points)).astype(np.float32))
    return surface.moved(surface.vertices * _STEP_MM - _HALF_BOX_MM)


def _ellipsoid(points: np.ndarray, centre: np.ndarray, semi_axes: np.ndarray, lean: float = 0.0) -> np.ndarray:
    """Return an approximate signed distance; the ellipsoid leans sideways by `lean` mm for each mm of height."""
    moved = points - centre
    moved[..., 0] -= lean * moved[..., 2]
    reach = np.linalg.norm(moved / semi_axes, axis=-1)
    steepness = np.linalg.norm(moved / semi_axes**2, axis=-1) / np.maximum(reach, 1e-6)
    return (reach - 1) / np.maximum(steepness, 1e-3)


def _wall(points: np.ndarray) -> np.ndarray:
    """Return the distance from a trachea of 8 mm radius behind the isthmus, negative inside."""
    return np.hypot(points[..., 0], points[..., 1] + 7.0) - 8.0
