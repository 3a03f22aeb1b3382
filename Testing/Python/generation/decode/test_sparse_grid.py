"""Sparse evaluation gives the same surface as evaluation of the whole grid."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.generation.decode.decoding import decoding_box
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.sparse_grid import FieldFunction, evaluate_dense, evaluate_sparse
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.model.trained_model import TrainedModel

BOX = (-np.ones(3), np.ones(3))


def assert_same_surface(field: FieldFunction, resolution: int, box=BOX) -> float:
    """Compare with the whole grid and return the share of its points that was evaluated."""
    dense, sparse = evaluate_dense(field, *box, resolution), evaluate_sparse(field, *box, resolution)
    np.testing.assert_array_equal(sparse.values < 0, dense.values < 0)
    np.testing.assert_array_equal(sparse.values == 0, dense.values == 0)
    np.testing.assert_array_equal(sparse.grid.ijk_to_ras, dense.grid.ijk_to_ras)
    if (dense.values < 0).any() and (dense.values > 0).any():
        expected, found = surface_from_sdf(dense.values), surface_from_sdf(sparse.values)
        np.testing.assert_array_equal(found.faces, expected.faces)
        # Matrix products of different lengths differ in the last bits.
        np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-3)
    return sparse.evaluations / dense.evaluations


def sphere(centre, radius: float) -> FieldFunction:
    return lambda points: np.linalg.norm(points - np.asarray(centre), axis=1) - radius


def union(*fields: FieldFunction) -> FieldFunction:
    return lambda points: np.min([field(points) for field in fields], axis=0)


@pytest.mark.parametrize(("resolution", "share"), [(16, 0.8), (32, 0.4), (64, 0.15), (65, 0.15), (100, 0.1)])
def test_two_separate_lobes_need_a_fraction_of_the_grid(resolution: int, share: float) -> None:
    lobes = union(sphere((-0.6, 0.1, 0.2), 0.25), sphere((0.65, -0.1, 0.1), 0.2))

    assert assert_same_surface(lobes, resolution) < share


@pytest.mark.parametrize("resolution", [16, 32, 64])
def test_spheres_smaller_than_a_coarse_cell_are_found_anywhere(resolution: int) -> None:
    rng = np.random.default_rng(resolution)
    step = 2 / (resolution - 1)
    for _ in range(12):
        tiny = sphere(rng.uniform(-0.8, 0.8, 3), rng.uniform(0.6, 3.5) * step)
        assert_same_surface(tiny, resolution)
        assert_same_surface(union(tiny, sphere(rng.uniform(-0.3, 0.3, 3), 0.4)), resolution)


def test_a_sphere_in_the_middle_of_a_coarse_cell_is_found() -> None:
    step = 2 / 64
    middle = -1 + step * (8 * np.array([3, 4, 5]) + 4)

    for radius in (0.5, 1.0, 2.0, 3.9):
        assert_same_surface(sphere(middle, radius * step), 65)


@pytest.mark.parametrize("resolution", [33, 65])
def test_sheets_thinner_than_a_cell_are_found_at_any_offset(resolution: int) -> None:
    step = 2 / (resolution - 1)
    for place in np.arange(8.0, 16.1, 0.5):
        for half_thickness in (0.1, 0.45, 0.9):
            at = -1 + place * step

            def sheet(points: np.ndarray, at: float = at, half_thickness: float = half_thickness) -> np.ndarray:
                return np.abs(points[:, 0] - at) - half_thickness * step

            dense, sparse = evaluate_dense(sheet, *BOX, resolution), evaluate_sparse(sheet, *BOX, resolution)
            np.testing.assert_array_equal(sparse.values < 0, dense.values < 0, f"{place} {half_thickness}")


def test_slanted_sheets_and_a_thin_bridge_between_lobes_are_found() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        offset, half_thickness = rng.uniform(-0.5, 0.5), rng.uniform(0.1, 1.0) * 2 / 31

        def sheet(points, normal=normal, offset=offset, half_thickness=half_thickness) -> np.ndarray:
            return np.abs(points @ normal - offset) - half_thickness

        assert_same_surface(sheet, 32)

    def bridge(points: np.ndarray) -> np.ndarray:
        beyond = np.abs(points - 0.013) - np.array([0.5, 0.7 * 2 / 63, 0.1])
        return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)

    assert assert_same_surface(union(bridge, sphere((-0.5, 0, 0), 0.3), sphere((0.5, 0, 0), 0.3)), 64) < 0.2


def test_surfaces_cut_by_the_side_of_the_grid_are_equal() -> None:
    for centre in ((1.0, 0.0, 0.0), (0.9, -1.05, 0.3), (1.0, 1.0, 1.0), (0.0, 0.0, -1.2)):
        for resolution in (32, 60, 65):
            assert_same_surface(sphere(centre, 0.4), resolution)


def test_anisotropic_boxes_and_constant_fields() -> None:
    uneven = (np.array([-0.8, -0.1, -0.4]), np.array([0.9, 0.5, 1.3]))

    assert_same_surface(sphere((0.1, 0.2, 0.5), 0.25), 64, uneven)
    assert assert_same_surface(lambda points: np.full(len(points), 0.3, np.float32), 64) < 0.01
    assert assert_same_surface(lambda points: np.full(len(points), -0.3, np.float32), 64) < 0.01


def test_a_surface_through_grid_points() -> None:
    for resolution in (17, 33):
        assert_same_surface(lambda points: np.abs(points).max(axis=1).astype(np.float32) - np.float32(0.5), resolution)


def test_surfaces_of_a_trained_network_are_equal_for_ordinary_and_extreme_codes(small_model: TrainedModel) -> None:
    rng = np.random.default_rng(0)
    codes = small_model.codes
    shares = []
    for spread in (1.0, 2.0, 4.0) * 3:
        code = codes.mean(axis=0) + spread * codes.std(axis=0) * rng.standard_normal(small_model.code_size)
        shares.append(assert_same_surface(Field(small_model, code), 48, decoding_box(small_model)))

    assert np.mean(shares) < 0.3
