"""Decoding returns the complete surface of a code, or an error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.generation.decode.decoding import decode, decoding_box, surface_of_grid
from ThyroidSynthLib.generation.decode.sparse_grid import GridValues, evaluate_dense
from ThyroidSynthLib.generation.thyroid import Validity, reconstruct, thyroid_of_code
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.trained_model import TrainedModel


def with_shifted_output(model: TrainedModel, shift: float) -> TrainedModel:
    """Add a constant to the SDF: a positive one shrinks the glands, a negative one enlarges them."""
    *hidden, last = model.network.layers
    network = SDFNetwork.of([*((layer.weight, layer.bias) for layer in hidden), (last.weight, last.bias + shift)])
    return replace(model, network=network)


def test_training_cases_are_reconstructed(small_model: TrainedModel, small_cohort: Cohort) -> None:
    for row in range(6):
        thyroid = reconstruct(small_model, row, resolution=48)
        assert thyroid.validity.ok
        assert thyroid.measured.volume_ml == pytest.approx(small_cohort.features[row, 0], rel=0.05)
        assert thyroid.measured.symmetry == pytest.approx(small_cohort.features[row, 2], abs=0.06)
        distance = np.abs(thyroid.surface.bounds[0] - small_cohort.surface(small_cohort.ids[row]).bounds[0])
        assert distance.max() < 2.5


def test_bounds_and_features_hardly_depend_on_the_resolution(small_model: TrainedModel) -> None:
    coarse, fine = (reconstruct(small_model, 2, resolution=resolution) for resolution in (40, 96))

    assert coarse.measured.volume_ml == pytest.approx(fine.measured.volume_ml, rel=0.01)
    assert coarse.measured.symmetry == pytest.approx(fine.measured.symmetry, abs=0.01)
    np.testing.assert_allclose(coarse.surface.bounds, fine.surface.bounds, atol=0.7)


def test_decoding_is_reproducible_and_evaluates_part_of_the_grid(small_model: TrainedModel) -> None:
    first, again = (decode(small_model, small_model.codes[1], resolution=32) for _ in range(2))

    np.testing.assert_array_equal(first.surface.vertices, again.surface.vertices)
    assert 0 < first.evaluations == again.evaluations < 32**3


def test_a_code_without_a_surface_raises(small_model: TrainedModel) -> None:
    with pytest.raises(SynthesisError, match="has no surface"):
        decode(with_shifted_output(small_model, 5.0), small_model.codes[0], resolution=32)


def test_a_gland_larger_than_the_box_is_decoded_in_a_larger_box(small_model: TrainedModel) -> None:
    frame = small_model.frame
    shrunk = Frame(frame.scale_mm, 0.8 * frame.lower_mm, 0.8 * frame.upper_mm)
    row = int(np.argmax(small_model.features[:, 0]))

    ordinary = decode(small_model, small_model.codes[row], resolution=48)
    decoded = decode(replace(small_model, frame=shrunk), small_model.codes[row], resolution=48)

    assert not decoded.touches_box
    assert decoded.surface.volume == pytest.approx(ordinary.surface.volume, rel=0.02)
    assert decoded.evaluations > ordinary.evaluations


def test_an_unbounded_surface_is_closed_at_the_box_and_invalid(small_model: TrainedModel) -> None:
    decoded = decode(with_shifted_output(small_model, -5.0), small_model.codes[0], resolution=24)

    assert decoded.touches_box
    assert decoded.surface.is_closed()
    assert not Validity.of(decoded.surface, touches_box=decoded.touches_box).ok


def test_a_field_hardly_below_0_raises(small_model: TrainedModel) -> None:
    values = np.ones((6, 6, 6), dtype=np.float32)
    values[3, 3, 3] = -1e-12

    with pytest.raises(SynthesisError, match="has no surface"):
        surface_of_grid(small_model, GridValues.of(values, -np.ones(3), np.full(3, 0.4), 216))


def test_a_ball_anywhere_in_the_box_is_extracted_at_its_place(small_model: TrainedModel) -> None:
    lower, upper = decoding_box(small_model)
    scale = small_model.frame.scale_mm
    for centre in (lower + 0.2 * (upper - lower), np.zeros(3)):
        ball = evaluate_dense(
            lambda points, c=centre: np.linalg.norm((points - c) * scale, axis=1) - 4.0, lower, upper, 40
        )
        surface = surface_of_grid(small_model, ball)
        assert surface.is_closed()
        assert surface.volume == pytest.approx(4 / 3 * np.pi * 64, rel=0.06)
        assert surface.vertices.mean(axis=0) == pytest.approx(centre * scale, abs=0.2)


def test_validity_requires_a_closed_surface_of_one_or_two_components() -> None:
    lobes = two_lobes(semi_axes_mm=(6.0, 6.0, 12.0), offset_mm=12.0, right_share=1.0)
    open_surface = replace(lobes, faces=lobes.faces[1:])

    assert Validity.of(lobes) == Validity(closed=True, components=2, touches_box=False)
    assert not Validity.of(open_surface).ok
    assert not Validity(closed=True, components=3, touches_box=False).ok
    assert not Validity(closed=True, components=0, touches_box=False).ok
    assert not Validity(closed=True, components=1, touches_box=True).ok


def test_features_are_measured_on_the_surface(small_model: TrainedModel) -> None:
    thyroid = thyroid_of_code(small_model, small_model.codes[0], resolution=32)

    assert thyroid.code.dtype == np.float32
    assert thyroid.resolution == 32
    assert thyroid.measured == measure_features(thyroid.surface)


def test_values_are_placed_with_the_axes_x_y_and_z() -> None:
    values = np.zeros((4, 5, 6), dtype=np.float32)

    grid = GridValues.of(values, np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.4]), 0).grid

    assert grid.shape == values.shape
    k, j, i = 3, 2, 1
    assert grid.to_ras(np.array([i, j, k])) == pytest.approx([1.3, 2.4, 3.4])
