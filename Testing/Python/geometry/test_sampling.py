"""SDF samples follow the published distribution, and distances have the right value and sign."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import box, ellipsoid, together, winding_inside
from support.tiny_cohort import two_lobes
from ThyroidSynthLib.geometry.sampling import sample_sdf, sample_surface, signed_distance


def test_four_fifths_of_the_samples_lie_on_the_surface() -> None:
    sphere = ellipsoid((0.5,) * 3, (0.1, 0.2, 0.3))

    samples = sample_sdf(sphere, count=5000, rng=np.random.default_rng(0))

    radius = np.linalg.norm(samples[:, :3] - (0.1, 0.2, 0.3), axis=1)
    assert samples.shape == (5000, 4)
    assert samples.dtype == np.float32
    assert (samples[:4000, 3] == 0).all()
    assert radius[:4000] == pytest.approx(0.5, abs=1e-3)
    assert (samples[4000:, 3] != 0).all()
    assert samples[4000:, 3] == pytest.approx(radius[4000:] - 0.5, abs=1e-3)


def test_the_other_samples_are_moved_by_a_tenth_along_each_axis() -> None:
    # Near a large box the distance is the displacement along the normal.
    samples = sample_sdf(box((200.0, 200.0, 200.0)), count=20000, rng=np.random.default_rng(0))

    assert samples[16000:, 3].std() == pytest.approx(0.1, rel=0.05)
    assert samples[16000:, 3].mean() == pytest.approx(0.0, abs=0.01)


def test_surface_points_are_uniform_over_the_area() -> None:
    large, small = box((2.0, 2.0, 2.0)), box((1.0, 1.0, 1.0), (5.0, 0.0, 0.0))

    points = sample_surface(together(large, small), 20000, np.random.default_rng(0))

    on_large = points[points[:, 0] < 3.0]
    assert len(on_large) / len(points) == pytest.approx(0.8, abs=0.01)
    top = on_large[np.isclose(on_large[:, 2], 1.0)]
    assert len(top) / len(on_large) == pytest.approx(1 / 6, abs=0.015)
    counts, *_ = np.histogram2d(top[:, 0], top[:, 1], bins=4, range=[[-1, 1], [-1, 1]])
    expected = len(top) / 16
    assert np.sum((counts - expected) ** 2 / expected) < 37.7  # 99.9 % of chi-square with 15 degrees of freedom


def test_the_same_seed_gives_the_same_samples() -> None:
    sphere = ellipsoid(subdivisions=2)

    first, again, other = (sample_sdf(sphere, count=100, rng=np.random.default_rng(seed)) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_distances_to_an_ellipsoids_and_a_boxs_surface() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, (500, 3))
    cube = box((2.0, 2.0, 2.0))
    beyond = np.abs(points) - 1.0
    exact = np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)

    assert signed_distance(cube, points) == pytest.approx(exact, abs=1e-6)
    sphere = ellipsoid((1.0,) * 3)
    assert signed_distance(sphere, points) == pytest.approx(np.linalg.norm(points, axis=1) - 1, abs=1e-3)


def test_the_sign_is_right_near_thin_triangles_of_marching_cubes() -> None:
    surface = two_lobes(semi_axes_mm=(9.0, 7.0, 15.0), offset_mm=8.0, right_share=0.9)
    unit = surface.moved(surface.vertices / np.abs(surface.vertices).max(axis=0))
    samples = sample_sdf(unit, count=3000, rng=np.random.default_rng(0))[2400:].astype(float)

    inside = winding_inside(unit, samples[:, :3])

    np.testing.assert_array_equal(samples[:, 3] < 0, inside)
