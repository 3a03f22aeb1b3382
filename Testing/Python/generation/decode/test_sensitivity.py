"""The shape derivatives agree with finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.generation.decode.decoding import decode
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.thyroid import reconstruct, thyroid_of_code
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.model.trained_model import TrainedModel

RESOLUTION = 80
# Finer than the default: the steps change the symmetry by less than the error of columns 0.5 mm apart.
COLUMN_MM = 0.2


def by_differences(model: TrainedModel, code: np.ndarray, step: float) -> np.ndarray:
    """Differentiate the features along every second dimension of the code by finite differences, shape (3, n)."""

    def features(code: np.ndarray) -> np.ndarray:
        surface = decode(model, code, resolution=RESOLUTION).surface
        return measure_features(surface, column_mm=COLUMN_MM).as_array()

    columns = []
    for dimension in range(0, len(code), 2):
        moved = [code.copy(), code.copy()]
        moved[0][dimension] -= step
        moved[1][dimension] += step
        low, high = map(features, moved)
        columns.append((high - low) / (2 * step))
    return np.array(columns).T


def test_derivatives_of_a_gland_with_an_isthmus(small_model: TrainedModel) -> None:
    # A gland with a steep outline of the isthmus: where it is flat the area jumps and finite differences fail.
    row = int(np.argsort(small_model.features[:, 1])[-2])
    thyroid = reconstruct(small_model, row, resolution=RESOLUTION)
    step = 0.05 * float(small_model.codes.std(axis=0).min())

    local = ModelShapes(small_model).sensitivity(thyroid)

    expected = by_differences(small_model, thyroid.code.astype(np.float64), step)
    found = local.jacobian[:, ::2]
    assert local.values == pytest.approx(thyroid.measured.as_array())
    for feature in range(3):
        a, b = found[feature], expected[feature]
        assert a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) > 0.99
        assert np.linalg.norm(a) == pytest.approx(np.linalg.norm(b), rel=0.05)


def test_without_an_isthmus_the_signed_area_is_negative_and_rises_as_the_gap_closes(small_model: TrainedModel) -> None:
    thyroids = (reconstruct(small_model, row, resolution=48) for row in range(len(small_model.ids)))
    thyroid = next(thyroid for thyroid in thyroids if thyroid.measured.isthmus_area_mm2 == 0)

    local = ModelShapes(small_model).sensitivity(thyroid)

    slope = local.jacobian[1]
    assert local.values[1] < 0
    towards = thyroid.code + (0.2 * -local.values[1] / (slope @ slope)) * slope
    nearer = ModelShapes(small_model).sensitivity(thyroid_of_code(small_model, towards, resolution=48))
    assert nearer.values[1] > 0.9 * local.values[1]
