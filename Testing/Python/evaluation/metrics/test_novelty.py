"""Novelty: copies are detected, and populations are distinguished only if they differ."""

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.evaluation.metrics.novelty import compare_populations, measure_novelty, nearer_test
from ThyroidSynthLib.evaluation.metrics.shape_points import ShapePoints, distances, nearest_distance, shape_distance


def a_shape(size: float, seed: int = 0) -> ShapePoints:
    lobes = two_lobes(semi_axes_mm=(size, 0.9 * size, 1.8 * size), offset_mm=9.0, right_share=0.9)
    return ShapePoints.of(lobes, seed=seed)


def test_a_copy_is_at_the_floor_of_the_distance_and_a_larger_shape_is_farther():
    small, copy, large = a_shape(9.0), a_shape(9.0, seed=1), a_shape(12.0)
    assert shape_distance(small, copy) < 1.5 < shape_distance(small, large)
    assert shape_distance(small, large) == shape_distance(large, small)


def test_the_candidates_contain_the_nearest_shape():
    sizes = np.linspace(7.0, 14.0, 12)
    others = [a_shape(size, seed=number + 1) for number, size in enumerate(sizes)]
    shape = a_shape(10.1)
    assert nearest_distance(shape, others) == min(shape_distance(shape, other) for other in others)


def test_copies_of_training_shapes_are_detected():
    rng = np.random.default_rng(0)
    sizes = rng.uniform(8.0, 13.0, (2, 7))
    training = [a_shape(size) for size in sizes[0]]
    copies = [a_shape(size, seed=5) for size in sizes[0]]
    unseen = [a_shape(size + 3.0, seed=7) for size in sizes[1]]
    found = measure_novelty(generated=copies, training=training, held_out=unseen).as_dict()
    assert found["memorisation"]["p_nearer"] < 0.05 and found["memorisation"]["share_nearer"] > 0.75
    assert found["generated_to_training"]["mean"] < 1.5


def test_equal_distances_are_not_taken_for_copies():
    values = np.random.default_rng(1).normal(3.0, 0.5, 200)
    found = nearer_test(values[:100], values[100:])
    assert found["p_nearer"] > 0.05 and found["share_nearer"] == pytest.approx(0.5, abs=0.1)
    # One-sided: shapes that are farther away are not copies.
    assert nearer_test(values + 2.0, values)["p_nearer"] > 0.99


def test_distant_populations_are_distinguished_and_equal_ones_are_not():
    line = np.arange(20.0)
    within = np.abs(line[:, None] - line)
    np.fill_diagonal(within, np.inf)
    apart = compare_populations(within, np.abs(line[:, None] - (line + 500.0)), within)
    assert (apart.accuracy, apart.covered) == (1.0, 1)
    # Each shape's nearest one is its twin of the other population.
    twins = compare_populations(within, np.abs(line[:, None] - (line + 0.1)), within)
    assert (twins.accuracy, twins.coverage) == (0.0, 1.0)


def test_a_shape_is_not_its_own_neighbour():
    shapes = [a_shape(size) for size in (8.0, 10.0, 12.0)]
    found = distances(shapes, shapes)
    assert np.isinf(np.diag(found)).all() and np.array_equal(found, found.T)
    assert found[0, 2] == pytest.approx(distances(shapes[:1], shapes[2:])[0, 0])


def test_there_is_no_memorisation_test_without_held_out_shapes():
    shapes = [a_shape(size) for size in (8.0, 10.0)]
    found = measure_novelty(generated=shapes, training=shapes).as_dict()
    assert "memorisation" not in found and "coverage" not in found
    assert found["training_to_training"]["shapes"] == 2


def test_the_search_can_be_cancelled():
    shapes = [a_shape(9.0)]
    with pytest.raises(Cancelled):
        measure_novelty(generated=shapes, training=shapes, should_stop=lambda: True)
