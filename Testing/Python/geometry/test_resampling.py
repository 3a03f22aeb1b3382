"""A mask written to another grid stays in its place."""

from __future__ import annotations

import numpy as np
import pytest

from support.mask_files import affine
from ThyroidSynthLib.geometry import resampling
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.resampling import interpolated, resampled, write_label
from ThyroidSynthLib.geometry.volume import Volume


def a_ball(size=(20, 22, 24), ras=None):
    k, j, i = np.ogrid[tuple(slice(0, n) for n in size)]
    inside = (k - 10) ** 2 + (j - 11) ** 2 + (i - 12) ** 2 <= 49
    return Volume(inside.astype(np.uint8), affine() if ras is None else ras)


def test_on_coinciding_voxels_the_mask_is_copied():
    ball = a_ball()
    cut = ball.cropped()
    array = np.full(ball.array.shape, 3, dtype=np.uint8)
    replaced = write_label(array, ball.grid, cut, 7)
    assert np.array_equal(array == 7, ball.array == 1)
    assert (replaced == 3).all()
    assert len(replaced) == ball.array.sum()


def test_the_part_outside_the_grid_is_left_out():
    ball = a_ball()
    array = np.zeros((10, 22, 24), dtype=np.uint8)
    write_label(array, Grid(array.shape, ball.ijk_to_ras), ball, 1)
    assert np.array_equal(array, ball.array[:10])
    far = Volume(ball.array, affine(origin=(900, 0, 0)))
    assert len(write_label(array, Grid(array.shape, ball.ijk_to_ras), far, 2)) == 0


@pytest.mark.parametrize("degrees", [0.0, 25.0])
@pytest.mark.parametrize("points", [4_000_000, 500])
def test_on_another_grid_each_voxel_takes_the_nearest_value(degrees, points, monkeypatch):
    monkeypatch.setattr(resampling, "POINTS_AT_ONCE", points)
    ball = a_ball()
    matrix = affine(spacing_mm=(0.9, 1.1, 2.0), degrees=degrees, origin=(0.0, 40.0, -45.0))
    grid = Grid((24, 50, 60), matrix)
    array = np.zeros(grid.shape, dtype=np.uint8)
    write_label(array, grid, ball.cropped(), 1)
    kji = np.argwhere(np.ones(grid.shape, dtype=bool))
    nearest = np.floor(ball.to_ijk(grid.to_ras(kji[:, ::-1])) + 0.5).astype(int)[:, ::-1]
    inside = ((nearest >= 0) & (nearest < ball.array.shape)).all(axis=1)
    expected = np.zeros(len(kji), dtype=np.uint8)
    expected[inside] = ball.array[tuple(nearest[inside].T)]
    assert np.array_equal(array.ravel(), expected)
    assert array.sum() > 100


@pytest.mark.parametrize(("spacing", "degrees"), [(1.0, 0.0), (0.7, 0.0), (2.0, 0.0), (1.0, 25.0)])
def test_an_image_ends_where_labels_do_and_not_half_a_voxel_earlier(spacing, degrees):
    tissue = Volume(np.full((20, 24, 22), 40, dtype=np.int16), affine(degrees=degrees))
    grid = Grid.around(tissue.grid, spacing_mm=spacing)

    image = interpolated(tissue, grid, outside=-1000.0).array

    labelled = resampled(tissue, grid).array != 0
    assert image.dtype == np.int16
    assert (image[labelled] == 40).all()
    assert (image[~labelled] == -1000).all()


def test_values_between_voxel_centres_lie_between_those_of_the_voxels():
    i = np.arange(10)
    ramp = Volume(np.broadcast_to(10 * i, (4, 4, 10)).astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    grid = Grid((1, 1, 5), np.array([[2, 0, 0, 1.0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]))

    np.testing.assert_allclose(interpolated(ramp, grid, outside=0.0).array.ravel(), [5, 15, 25, 35, 45])
