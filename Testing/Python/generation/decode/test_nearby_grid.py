"""Evaluation that starts from a similar field gives the same surface as evaluation of the whole grid."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.generation.decode.decoding import decode, decoding_box
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.nearby_grid import NearbyGrids
from ThyroidSynthLib.generation.decode.sparse_grid import FieldFunction, evaluate_dense, evaluate_sparse
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.model.trained_model import TrainedModel

BOX = (-np.ones(3), np.ones(3))


def sphere(centre, radius: float) -> FieldFunction:
    return lambda points: (np.linalg.norm(points - np.asarray(centre), axis=1) - radius).astype(np.float32)


def union(*fields: FieldFunction) -> FieldFunction:
    return lambda points: np.min([field(points) for field in fields], axis=0)


def assert_same_surface(grids: NearbyGrids, field: FieldFunction, resolution: int, box=BOX) -> None:
    near, dense = grids.evaluate(field), evaluate_dense(field, *box, resolution)
    np.testing.assert_array_equal(near.values < 0, dense.values < 0)
    if (dense.values < 0).any():
        expected, found = surface_from_sdf(dense.values), surface_from_sdf(near.values)
        np.testing.assert_array_equal(found.faces, expected.faces)
        # Matrix products of different lengths differ in the last bits.
        np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-3)


def counted(field: FieldFunction, rounds: list[int]) -> FieldFunction:
    def evaluate(points: np.ndarray) -> np.ndarray:
        rounds[-1] += 1
        return field(points)

    return evaluate


def test_a_growing_and_moving_sphere_is_followed_with_fewer_calls_of_the_field() -> None:
    grids, followed, alone = NearbyGrids(*BOX, 64), [], []
    for step in range(6):
        field = sphere((0.004 * step, -0.006 * step, 0.02), 0.4 + 0.004 * step)
        assert_same_surface(grids, field, 64)
        followed.append(0)
        grids.evaluate(counted(field, followed))
        alone.append(0)
        evaluate_sparse(counted(field, alone), *BOX, 64)

    assert np.mean(followed) < 0.6 * np.mean(alone)


def test_jumps_and_appearing_and_vanishing_components_are_found() -> None:
    lobes = sphere((-0.4, 0, 0), 0.25), sphere((0.4, 0, 0), 0.25)
    step = 2 / 63
    fields = [
        union(*lobes),
        union(*lobes, sphere((0.0, 0.0, 0.0), 0.18)),  # joined
        union(*lobes, sphere((0.1, 0.55, 0.1), 1.3 * step)),  # an island beside
        union(*lobes, sphere((0.8, 0.8, -0.8), 0.15)),  # a component far away
        lobes[0],  # one is gone
        sphere((0.9, 0.9, 0.9), 0.3),  # elsewhere, and cut by the side
        lambda points: np.full(len(points), 0.2, np.float32),
        union(*lobes),
    ]
    grids = NearbyGrids(*BOX, 64)
    for field in [*fields, *reversed(fields)]:
        assert_same_surface(grids, field, 64)


def test_islands_that_appear_near_the_gland_are_found() -> None:
    rng = np.random.default_rng(0)
    gland = union(sphere((-0.4, 0, 0), 0.3), sphere((0.4, 0, 0), 0.3))
    grids = NearbyGrids(*BOX, 64)
    for _ in range(12):
        grids.evaluate(gland)
        island = sphere(rng.uniform((-0.6, -0.3, -0.3), (0.6, 0.3, 0.3)), rng.uniform(2.5, 4.0) * 2 / 63)
        assert_same_surface(grids, union(gland, island), 64)


def test_an_island_that_appears_in_the_middle_of_a_coarse_cell_is_found() -> None:
    """At the corners of the cell the new field is positive, so only the bound on its error shows the island."""
    step, gland = 2 / 64, sphere((-0.4, -0.4, 0.4), 0.3)
    for cell in ([5, 5, 2], [6, 4, 1], [3, 6, 3]):
        for radius in (2.0, 3.5, 5.0):
            grids = NearbyGrids(*BOX, 65)
            grids.evaluate(gland)
            island = sphere(-1 + step * (8 * np.array(cell) + 4), radius * step)
            assert_same_surface(grids, union(gland, island), 65)


def test_codes_of_a_network_are_followed_in_small_and_large_steps(small_model: TrainedModel) -> None:
    rng = np.random.default_rng(1)
    box, codes = decoding_box(small_model), small_model.codes
    for stride in (0.02, 0.2, 1.0):
        grids = NearbyGrids(*box, 48)
        direction = stride * codes.std(axis=0) * rng.standard_normal(small_model.code_size)
        for step in range(5):
            code = codes[3] + np.sin(step) * direction
            assert_same_surface(grids, Field(small_model, code), 48, box)


def test_decoding_in_small_steps_gives_the_same_surfaces(small_model: TrainedModel) -> None:
    nearby: dict[int, NearbyGrids] = {}
    evaluations = alone = 0
    for step in range(6):
        code = small_model.codes[2] * np.float32(1 + 0.01 * step)
        followed = decode(small_model, code, resolution=48, nearby=nearby)
        single = decode(small_model, code, resolution=48)
        np.testing.assert_array_equal(followed.surface.faces, single.surface.faces)
        np.testing.assert_allclose(followed.surface.vertices, single.surface.vertices, atol=2e-3)
        evaluations, alone = evaluations + followed.evaluations, alone + single.evaluations

    assert evaluations < 0.9 * alone
