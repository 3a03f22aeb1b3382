"""Grids map indices to positions, and parts of a grid keep the positions of their voxels."""

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid, shifted
from support.mask_files import affine
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid, box_of
from ThyroidSynthLib.geometry.voxelisation import voxelise

OBLIQUE = Grid((10, 20, 30), affine(spacing_mm=(0.9, 1.1, 2.0), degrees=25.0))


def test_indices_map_to_positions_and_back():
    assert OBLIQUE.spacing_mm == pytest.approx([0.9, 1.1, 2.0])
    assert OBLIQUE.voxel_volume_ml == pytest.approx(0.9 * 1.1 * 2.0 / 1000)
    assert OBLIQUE.to_ras([0, 0, 0]) == pytest.approx(OBLIQUE.ijk_to_ras[:3, 3])
    ijk = np.array([[1.5, 2.0, -3.0], [29.0, 19.0, 9.0]])
    np.testing.assert_allclose(OBLIQUE.to_ijk(OBLIQUE.to_ras(ijk)), ijk, atol=1e-9)


def test_lps_axes_become_ras_positions():
    grid = Grid.of_lps((4, 5, 6), np.diag([1.0, 2.0, 3.0]), (10.0, 20.0, 30.0))

    assert grid.shape == (4, 5, 6)
    assert grid.to_ras([1, 1, 1]) == pytest.approx([-11.0, -22.0, 33.0])


def test_a_part_lies_where_its_voxels_lie_in_the_whole():
    part = OBLIQUE.part([-1, 4, 2], [3, 5, 7])

    assert part.shape == (3, 5, 7)
    assert part.to_ras([0, 0, 0]) == pytest.approx(OBLIQUE.to_ras([2, 4, -1]))
    assert part.to_ras(part.last_ijk) == pytest.approx(OBLIQUE.to_ras([8, 8, 1]))


def test_the_corners_of_two_grids_show_how_far_they_lie_apart():
    moved = affine(spacing_mm=(0.9, 1.1, 2.0), degrees=25.0)
    moved[:3, 3] += [3.0, 0.0, 4.0]
    stretched = OBLIQUE.ijk_to_ras.copy()
    stretched[:3, 0] *= 1.1

    assert OBLIQUE.corner_distance_mm(OBLIQUE) == 0.0
    assert OBLIQUE.corner_distance_mm(Grid(OBLIQUE.shape, moved)) == pytest.approx(5.0)
    assert OBLIQUE.corner_distance_mm(Grid(OBLIQUE.shape, stretched)) == pytest.approx(29 * 0.09)
    half_a_voxel_out = np.sort(OBLIQUE.to_ijk(OBLIQUE.corners(beyond=0.5)), axis=0)[[0, -1]]
    np.testing.assert_allclose(half_a_voxel_out, [[-0.5] * 3, [29.5, 19.5, 9.5]], atol=1e-9)


def test_positions_are_in_the_grid_up_to_half_a_voxel_beyond_the_outermost_centres():
    ijk = np.array([[-0.4, 0, 0], [-0.6, 0, 0], [29.4, 19.4, 9.4], [29.0, 19.0, 9.6]])

    assert OBLIQUE.contains(OBLIQUE.to_ras(ijk)).tolist() == [True, False, True, False]
    assert OBLIQUE.depth_mm(OBLIQUE.to_ras(np.array([[2.0, 10, 5], [-1.0, 10, 5]]))) == pytest.approx([1.8, -0.9])


def test_a_grid_around_a_surface_has_its_margin_and_lies_on_multiples_of_the_spacing():
    surface = ellipsoid((9.0, 6.0, 14.0), (101.3, -7.7, 50.1))
    grid = Grid.around(surface, spacing_mm=1.5, margin_mm=4.0)
    lower, upper = surface.bounds
    first, last = grid.to_ras(np.zeros(3)), grid.to_ras(grid.last_ijk)
    assert (first <= lower - 4).all() and (last >= upper + 4).all()
    assert first / 1.5 == pytest.approx(np.round(first / 1.5))
    with pytest.raises(InputError, match="positive"):
        Grid.around(surface, spacing_mm=0.0)
    with pytest.raises(InputError, match="too large"):
        Grid.around(surface, spacing_mm=0.015)


def test_a_grid_can_have_a_different_spacing_along_each_axis():
    surface = ellipsoid((9.0, 6.0, 14.0), (101.3, -7.7, 50.1))
    grid = Grid.around(surface, spacing_mm=(0.8, 0.9, 3.0))
    labels = voxelise(surface, grid)
    assert np.allclose(labels.spacing_mm, [0.8, 0.9, 3.0])
    assert grid.holds(surface)
    assert labels.array.sum() * labels.voxel_volume_ml == pytest.approx(surface.volume / 1000, rel=0.01)


def test_a_grown_grid_holds_the_surface_and_keeps_its_voxels():
    grid = Grid((20, 20, 20), np.eye(4))
    beyond = shifted(ellipsoid((3.0, 3.0, 3.0)), 10.0, 19.0, 2.0)

    grown = grid.grown_to_hold(beyond, margin_mm=2.0)

    assert not grid.holds(beyond) and grown.holds(beyond)
    first = grid.to_ijk(grown.to_ras([0, 0, 0]))
    assert first == pytest.approx([0.0, 0.0, -3.0])
    assert grown.shape == (23, 25, 20)
    assert grid.grown_to_hold(ellipsoid((3.0, 3.0, 3.0), (10.0, 10.0, 10.0))).shape == grid.shape


def test_a_box_holds_all_true_elements():
    inside = np.zeros((5, 6, 7), dtype=bool)
    assert inside[box_of(inside)].shape == (5, 6, 7)
    inside[0, 2, 3] = inside[1, 4, 3] = True

    assert box_of(inside) == (slice(0, 2), slice(2, 5), slice(3, 4))
    assert box_of(inside, margin=1) == (slice(0, 3), slice(1, 6), slice(2, 5))


def test_a_grid_without_voxels_is_refused():
    with pytest.raises(ValueError, match="positive sizes"):
        Grid((0, 3, 3), np.eye(4))
