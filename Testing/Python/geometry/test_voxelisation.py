"""Voxelisation labels the voxels whose centre is inside, on any grid."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.analytic_shapes import box, ellipsoid
from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import volume_fractions, voxelise


def an_oblique_grid(mirrored: bool) -> Grid:
    rotation = Rotation.from_euler("xyz", [20.0, -35.0, 50.0], degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array([-0.9 if mirrored else 0.9, 1.3, 2.1])
    matrix[:3, 3] = np.array([110.0, -70.0, 300.0]) - matrix[:3, :3] @ np.array([20.0, 18.0, 12.0])
    return Grid((25, 37, 41), matrix)


@pytest.mark.parametrize("mirrored", [False, True])
def test_voxels_are_labelled_whose_centre_is_inside(mirrored):
    surface, grid = ellipsoid((9.0, 6.0, 14.0), (110.0, -70.0, 300.0)), an_oblique_grid(mirrored)
    labels = voxelise(surface, grid)
    kji = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    distance = signed_distance(surface, labels.to_ras(kji[..., ::-1]).reshape(-1, 3)).reshape(grid.shape)
    clear = np.abs(distance) > 1e-3
    assert grid.holds(surface)
    assert np.array_equal(labels.array[clear] == 1, distance[clear] < 0)
    assert labels.array.sum() * labels.voxel_volume_ml == pytest.approx(surface.volume / 1000, rel=0.02)


def test_the_surface_of_a_mask_is_voxelised_to_the_same_mask():
    rng = np.random.default_rng(4)
    mask = np.zeros((18, 20, 22), dtype=np.uint8)
    mask[3:15, 4:9, 3:9] = mask[3:15, 5:10, 13:19] = 1
    mask[5:8, 4:7, 8:14] = 1
    mask[2:16, 3:12, 2:20] |= rng.random((14, 9, 18)) < 0.002
    grid = Grid(mask.shape, np.diag([-1.5, -1.5, 1.5, 1.0]))
    source = Volume(mask, grid.ijk_to_ras)
    assert np.array_equal(voxelise(surface_from_mask(source), grid).array, mask)


def test_a_box_with_corners_on_voxel_centres_is_filled():
    count = voxelise(box((6.0, 6.0, 6.0), (5.0, 5.0, 5.0)), Grid((12, 12, 12), np.eye(4))).array.sum()
    assert 5**3 <= count <= 7**3


def test_a_surface_is_cut_off_where_the_grid_ends():
    grid = Grid((30, 30, 30), np.eye(4))
    half = ellipsoid((9.0, 6.0, 14.0), (15.0, 15.0, 29.5))
    assert not grid.holds(half)
    assert voxelise(half, grid).array.sum() == pytest.approx(half.volume / 2, rel=0.05)
    assert voxelise(ellipsoid((9.0, 6.0, 14.0), (500.0, 0.0, 0.0)), grid).array.sum() == 0


def test_an_open_surface_is_refused():
    surface = ellipsoid()
    with pytest.raises(SynthesisError, match="not closed"):
        voxelise(Surface(surface.vertices, surface.faces[:-1]), Grid((9, 9, 9), np.eye(4)))


@pytest.mark.parametrize("spacing_mm", [0.3, 1.0, 3.0, 5.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_volume_fractions_sum_up_to_the_volume_of_the_surface(spacing_mm, mirrored):
    surface = ellipsoid((9.0, 7.0, 14.0), (3.1, -4.2, 5.3))
    turn = Rotation.from_euler("xyz", [10, -7, 20], degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag([-1 if mirrored else 1, 1, 1]) * spacing_mm
    count = int(40 / spacing_mm) + 1
    matrix[:3, 3] = (3.1, -4.2, 5.3) - matrix[:3, :3] @ np.full(3, (count - 1) / 2)
    grid = Grid((count, count, count), matrix)

    shares = volume_fractions(surface, grid)

    assert shares.dtype == np.float32
    assert shares.sum(dtype=float) * spacing_mm**3 == pytest.approx(surface.volume, rel=1e-3)


def test_volume_fractions_are_the_shares_of_much_smaller_voxels():
    surface = ellipsoid((9.0, 7.0, 14.0))
    coarse = an_oblique_grid(mirrored=True)
    matrix = coarse.ijk_to_ras.copy()
    matrix[:3, 3] -= coarse.to_ras((coarse.last_ijk) / 2)
    coarse, fine = Grid(coarse.shape, matrix), matrix.copy()
    fine[:3, :3] /= 8
    fine[:3, 3] = coarse.to_ras(np.full(3, 0.5 / 8 - 0.5))
    voxels = voxelise(surface, Grid([8 * n for n in coarse.shape], fine)).array
    blocks = voxels.reshape([n for size in coarse.shape for n in (size, 8)]).mean(axis=(1, 3, 5))

    np.testing.assert_allclose(volume_fractions(surface, coarse), blocks, atol=0.06)


def test_volume_fractions_beyond_the_grid_are_left_out():
    surface = ellipsoid((10.0, 10.0, 10.0))
    grid = Grid((20, 20, 10), np.array([[1.0, 0, 0, 0.5], [0, 1, 0, -9.5], [0, 0, 1, -9.5], [0, 0, 0, 1]]))

    assert volume_fractions(surface, grid).sum(dtype=float) == pytest.approx(surface.volume / 2, rel=1e-3)
