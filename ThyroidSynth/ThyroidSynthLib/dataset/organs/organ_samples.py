"""The SDF samples of an organ: where its scan shows it, in the box of the cohort.

Nothing is sampled beyond the scan or outside of the box. A signed distance is known only where the surface is nearer
than the border of what the scan shows: nearer to the border, the nearest surface may be one that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.geometry.surface import Surface

ORGAN_SAMPLES = 6000
"""Samples of an organ that are stored for each case."""

# Shares of the samples on the surface, near it and anywhere in the box.
_ON_SURFACE, _NEAR = 0.4, 0.4
# Distances from the surface of those near it: two normal distributions, in mm.
_NEAR_SD_MM = (1.5, 5.0)
# An organ of which less is seen in the box than this is missing in a case.
_LEAST_AREA_MM2 = 100.0
_AREA_POINTS = 1000
_ROUNDS = 6


@dataclass(frozen=True)
class OrganSampling:
    """How the samples of one case's organ are drawn: in the box of a frame, and where a scan shows it."""

    frame: Frame
    seen: Grid

    def depends_on(self) -> list[object]:
        """Return what the samples depend on beside the surface and the seed."""
        return [self.frame.to_json(), list(self.seen.shape), self.seen.ijk_to_ras.tolist()]

    def draw(self, surface_mm: Surface, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the samples of a surface in `trachea_mm`, see `draw_organ_samples`."""
        return draw_organ_samples(surface_mm, self.seen, self.frame, count, rng)


def is_seen(surface: Surface, seen: Grid, frame: Frame) -> bool:
    """Check whether enough of an organ, a surface in `trachea_mm`, is in the box and in the scan to learn it from."""
    near = _part_near(surface, frame)
    area = float(np.linalg.norm(near.scaled_normals, axis=1).sum() / 2)
    if area < _LEAST_AREA_MM2:
        return False
    points = sample_surface(near, _AREA_POINTS, np.random.default_rng(0))
    inside = _in_box(frame, points) & (seen.depth_mm(points) >= 0)
    return area * float(inside.mean()) >= _LEAST_AREA_MM2


def draw_organ_samples(surface: Surface, seen: Grid, frame: Frame, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points on, near and around an organ with their signed distance.

    Parameters
    ----------
    surface : Surface
        Closed surface in `trachea_mm`, continued beyond what is seen; `is_seen`.
    seen : Grid
        The part of the scan in which the organ is known, in `trachea_mm`.
    frame : Frame
        Its box bounds the points; its scale is the same along all axes.

    Returns
    -------
    ndarray of float32, shape (count, 4)
        x, y, z and the signed distance in the `unit` frame, negative inside, in random order.
    """
    near = _part_near(surface, frame)

    def on_surface(number: int) -> np.ndarray:
        return sample_surface(near, number, rng)

    def beside(number: int) -> np.ndarray:
        sd = rng.choice(_NEAR_SD_MM, size=(number, 1))
        return on_surface(number) + rng.normal(size=(number, 3)) * sd

    def anywhere(number: int) -> np.ndarray:
        return rng.uniform(frame.lower_mm, frame.upper_mm, (number, 3))

    counts = [round(_ON_SURFACE * count), round(_NEAR * count)]
    counts.append(count - sum(counts))
    drawn = [
        _known(source, number, surface, seen, frame, distant=distant)
        for source, number, distant in zip((on_surface, beside, anywhere), counts, (False, True, True), strict=True)
    ]
    # Where the organ fills almost all that is seen of the box, one kind of points can be missing.
    pool = np.concatenate([each for each in drawn if len(each)])
    samples = np.concatenate(
        [
            each
            if len(each) == number
            else (each if len(each) else pool)[rng.integers(len(each) or len(pool), size=number)]
            for each, number in zip(drawn, counts, strict=True)
        ]
    )
    return (samples[rng.permutation(count)] / [*frame.scale_mm, frame.scale_mm[0]]).astype(np.float32)


def _known(
    source: Callable[[int], np.ndarray], count: int, surface: Surface, seen: Grid, frame: Frame, *, distant: bool
) -> np.ndarray:
    """Draw up to `count` points whose distance to the surface is known, shape (n, 4), in mm."""
    found: list[np.ndarray] = []
    missing, share = count, 1.0
    for _ in range(_ROUNDS):
        points = source(int(missing / share * 1.1) + 16)
        depth = seen.depth_mm(points)
        inside = _in_box(frame, points) & (depth >= 0)
        points, depth, tried = points[inside], depth[inside], len(points)
        distance = signed_distance(surface, points) if distant and len(points) else np.zeros(len(points))
        known = np.abs(distance) <= depth
        found.append(np.column_stack([points, distance])[known][:missing])
        missing -= len(found[-1])
        if missing == 0:
            break
        share = max(float(known.sum()) / tried, 0.05)
    return np.concatenate(found)


def _in_box(frame: Frame, points: np.ndarray) -> np.ndarray:
    return np.all((points >= frame.lower_mm) & (points <= frame.upper_mm), axis=1)


def _part_near(surface: Surface, frame: Frame) -> Surface:
    """Return the triangles of a surface that reach into the box."""
    lower, upper = surface.corners.min(axis=1), surface.corners.max(axis=1)
    reaches = ((upper >= frame.lower_mm) & (lower <= frame.upper_mm)).all(axis=1)
    return Surface(surface.vertices, surface.faces[reaches])
