"""Distances of one surface to another: sign, size and summary."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid, shifted
from ThyroidSynthLib.geometry.distance_map import compute_distance_map
from ThyroidSynthLib.geometry.surface import Surface


def sphere(radius: float) -> Surface:
    return ellipsoid((radius, radius, radius), subdivisions=3)


def test_a_larger_ball_is_outside_by_the_difference_of_the_radii():
    found = compute_distance_map(sphere(12.0), sphere(10.0))
    np.testing.assert_allclose(found.values_mm, 2.0, atol=0.1)
    for value in (found.mean_mm, found.p95_mm, found.largest_mm, found.bias_mm):
        assert value == pytest.approx(2.0, abs=0.1)


def test_a_smaller_ball_is_inside():
    found = compute_distance_map(sphere(10.0), sphere(12.0))
    assert found.bias_mm == pytest.approx(-2.0, abs=0.1)
    assert found.mean_mm == pytest.approx(2.0, abs=0.1)


def test_the_mean_is_weighted_by_area():
    ball, apart = sphere(10.0), shifted(sphere(8.0), 100.0)
    both = Surface.joined([ball, apart])
    reference = Surface(both.vertices.copy(), both.faces)
    reference.vertices[: len(ball.vertices)] *= 1.1  # the first ball is larger by 1 mm, the second the same
    share = 10.0**2 / (10.0**2 + 8.0**2)
    assert compute_distance_map(both, reference).mean_mm == pytest.approx(share * 1.0, abs=0.05)
