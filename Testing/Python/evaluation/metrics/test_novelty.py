"""Novelty: copies are detected, and populations are distinguished only if they differ."""

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.evaluation.metrics.novelty import compare_populations, measure_novelty, nearer_test
from ThyroidSynthLib.evaluation.metrics.shape_points import ShapePoints, distances, nearest_shape, shape_distance


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
    found = [shape_distance(shape, other) for other in others]
    assert nearest_shape(shape, others) == (min(found), int(np.argmin(found)))


def test_copies_of_training_shapes_are_detected():
    rng = np.random.default_rng(0)
    sizes = rng.uniform(8.0, 13.0, (2, 7))
    training = [a_shape(size) for size in sizes[0]]
    copies = [a_shape(size, seed=5) for size in sizes[0]]
    unseen = [a_shape(size + 3.0, seed=7) for size in sizes[1]]
    found = measure_novelty(generated=copies, training=training, held_out=unseen).as_dict()
    assert found["memorisation"]["p_nearer"] < 0.05 and found["memorisation"]["share_nearer"] > 0.75
    assert found["generated_to_training"]["mean"] < 1.5
    # A copy is nearer to its training shape than any other training shape is.
    assert found["authenticity"]["share"] == 0.0
    assert found["authenticity"]["of_held_out_shapes"] > 0.5


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
    assert (apart.within, apart.reached, apart.matching_mm) == (0, 0, pytest.approx(500.0 - 9.5))
    assert (twins.within, twins.reached, twins.matching_mm) == (20, 20, pytest.approx(0.1))


def test_precision_recall_and_matching_distance_have_the_values_of_a_small_example():
    # Positions on a line. The third nearest of four is the farthest, so the supports are the balls with these radii.
    own, other = np.array([0.0, 1.0, 2.0, 10.0]), np.array([2.0, 3.0, 4.0, 30.0])

    def apart(a, b):
        return np.abs(a[:, None] - b)

    def within(a):
        return np.where(np.eye(len(a), dtype=bool), np.inf, apart(a, a))

    found = compare_populations(within(own), apart(own, other), within(other))
    # Radii of `other`: 28, 27, 26, 28. All of `own` lie within them.
    assert found.within == 4
    # Radii of `own`: 10, 9, 8, 10. They reach to 20, so that 30 is out of reach.
    assert found.reached == 3
    # From 2, 3, 4 and 30 to the nearest of `own`: 0, 1, 2 and 20.
    assert found.matching_mm == pytest.approx((0 + 1 + 2 + 20) / 4)


def test_a_shape_is_authentic_if_it_is_farther_from_its_nearest_training_shape_than_the_next_one():
    training = [a_shape(size) for size in (8.0, 10.0, 12.0)]
    generated = [a_shape(8.0, seed=3), a_shape(16.0, seed=3)]
    found = measure_novelty(generated=generated, training=training)
    assert found.nearest_generated.tolist() == [0, 2]
    assert found.authentic.tolist() == [False, True]


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
