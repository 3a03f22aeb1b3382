"""The derivatives of the feature map are those of its values."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.model.feature_map import FeatureMap


@pytest.fixture
def feature_map() -> FeatureMap:
    rng, size, width = np.random.default_rng(0), 7, 5
    shapes = {
        "code_mean": (size,),
        "code_sd": (size,),
        "output_mean": (3,),
        "output_sd": (3,),
        "linear": (3, size),
        "first": (width, size),
        "first_bias": (width,),
        "second": (width, width),
        "second_bias": (width,),
        "third": (3, width),
        "third_bias": (3,),
        "error": (3,),
    }
    return FeatureMap(**{name: np.abs(rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()})


def test_derivatives_are_finite_differences_of_the_values(feature_map: FeatureMap) -> None:
    code = np.random.default_rng(1).normal(size=7)
    _, jacobian = feature_map(code)

    for dimension, step in enumerate(1e-6 * np.eye(7)):
        slope = (feature_map(code + step)[0] - feature_map(code - step)[0]) / 2e-6
        np.testing.assert_allclose(jacobian[:, dimension], slope, rtol=1e-4, atol=1e-6)
