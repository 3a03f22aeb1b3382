"""Soft tissue gives way to a thyroid that changes: smoothly, invertibly, and without changing volumes."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid
from ThyroidSynthLib.export.phantom.motion import yielding_motion
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise


def _neck(spacing_mm: float = 1.5) -> Volume:
    """A neck without rigid structures: a cube of 120 mm around the gland."""
    grid = Grid.around(ellipsoid((60.0, 60.0, 60.0)), spacing_mm=spacing_mm, margin_mm=0.0)
    return Volume(np.zeros(grid.shape, dtype=np.uint8), grid.ijk_to_ras)


@pytest.fixture(scope="module")
def growing():
    """The motion of a ball that grows from a radius of 9 mm to 13 mm."""
    return yielding_motion(ellipsoid((9.0,) * 3), ellipsoid((13.0,) * 3), _neck())


@pytest.mark.parametrize("radius_mm", [13.0, 16.0, 24.0])
def test_a_growing_ball_displaces_as_much_volume_as_it_gains(growing, radius_mm):
    directions = np.random.default_rng(0).normal(size=(200, 3))
    points = radius_mm * directions / np.linalg.norm(directions, axis=1, keepdims=True)

    moved = np.linalg.norm(growing.moved_points(points), axis=1)

    assert moved.mean() == pytest.approx((radius_mm**3 + 13.0**3 - 9.0**3) ** (1 / 3), abs=0.25)


def test_the_motion_is_invertible(growing):
    points = np.random.default_rng(1).uniform(-40, 40, (500, 3))
    points = points[np.linalg.norm(points, axis=1) > 11]
    there = growing.moved_points(points)

    back = there + _at(growing.backward, growing.grid, there)

    assert growing.least_jacobian() > 0
    assert np.linalg.norm(there - points, axis=1).max() > 2
    assert np.abs(back - points).max() < 0.5


def test_a_vessel_beside_the_gland_gives_way_and_keeps_its_volume(growing):
    neck = _neck(1.0)
    vessel = voxelise(ellipsoid((4.0, 4.0, 30.0), (14.0, 0.0, 0.0)), neck.grid)
    gland = voxelise(ellipsoid((13.0,) * 3), neck.grid)
    assert (vessel.array & gland.array).any()

    moved = growing.warp_labels(vessel)

    assert np.count_nonzero(moved.array & gland.array) < 0.01 * vessel.array.sum()
    assert moved.array.sum() == pytest.approx(vessel.array.sum(), rel=0.02)


def test_rigid_structures_stay_and_tissue_flows_around_them():
    neck = _neck()
    rigid = voxelise(ellipsoid((8.0, 8.0, 50.0), (-19.0, 0.0, 0.0)), neck.grid)
    motion = yielding_motion(ellipsoid((9.0,) * 3), ellipsoid((12.0,) * 3), rigid)

    inside = motion.moved_points(np.array([[-19.0, 0.0, 0.0], [-19.0, 3.0, 12.0]]))
    behind = motion.moved_points(np.array([[-30.0, 0.0, 0.0]]))[0]
    opposite = motion.moved_points(np.array([[30.0, 0.0, 0.0]]))[0]

    np.testing.assert_allclose(inside, [[-19.0, 0.0, 0.0], [-19.0, 3.0, 12.0]], atol=0.05)
    assert -30.0 - behind[0] < 0.5 * (opposite[0] - 30.0)


def test_a_shrinking_gland_lets_tissue_flow_in():
    neck = _neck()
    motion = yielding_motion(ellipsoid((13.0,) * 3), ellipsoid((9.0,) * 3), neck)

    moved = motion.moved_points(np.array([[0.0, 16.0, 0.0]]))[0]

    assert moved[1] == pytest.approx((16.0**3 - 13.0**3 + 9.0**3) ** (1 / 3), abs=0.35)


def test_labels_move_as_points_do_on_another_grid(growing):
    grid = Grid.around(ellipsoid((28.0,) * 3), spacing_mm=0.8)
    ball = voxelise(ellipsoid((6.0,) * 3, (18.0, 5.0, 0.0)), grid)

    labels = growing.warp_labels(ball)
    points = growing.moved_points(grid.to_ras(np.argwhere(ball.array)[:, ::-1]))

    np.testing.assert_allclose(labels.center_of_mass_ras(), points.mean(axis=0), atol=0.3)
    assert np.linalg.norm(labels.center_of_mass_ras() - ball.center_of_mass_ras()) > 0.7


def _at(values: np.ndarray, grid: Grid, points: np.ndarray) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    index = grid.to_ijk(points)[:, ::-1].T
    return np.stack([map_coordinates(values[..., n], index, order=1) for n in range(3)], axis=-1)
