"""Every encoding of features is standardised over the cohort, and holds the features it should."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.model.conditioning import SCHEMES, Conditioning

FEATURES = np.array([[10.0, 0.0, 0.7], [20.0, 60.0, 0.8], [40.0, 120.0, 0.6], [15.0, 0.0, 0.9]])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_dimension_is_standardised_over_the_cohort(scheme: str) -> None:
    codes = Conditioning.fit(scheme, FEATURES).encode(FEATURES)

    assert codes.mean(axis=0) == pytest.approx(np.zeros(codes.shape[1]), abs=1e-12)
    assert codes.std(axis=0) == pytest.approx(np.ones(codes.shape[1]))


def test_linear_is_the_three_features_and_none_has_no_dimension() -> None:
    linear = Conditioning.fit("linear", FEATURES)

    np.testing.assert_allclose(linear.encode(FEATURES) * linear.sd + linear.mean, FEATURES)
    assert Conditioning.fit("none", FEATURES).encode(FEATURES).shape == (4, 0)
    assert Conditioning.fit("none", FEATURES).size == 0


def test_anatomical_has_log_volume_and_presence_of_the_isthmus_beside_its_area() -> None:
    conditioning = Conditioning.fit("anatomical", FEATURES)
    raw = conditioning.encode(FEATURES) * conditioning.sd + conditioning.mean

    np.testing.assert_allclose(raw[:, 0], np.log(FEATURES[:, 0]))
    np.testing.assert_allclose(raw[:, 1], [0, 1, 1, 0], atol=1e-12)
    np.testing.assert_allclose(raw[:, 2:], FEATURES[:, 1:], atol=1e-12)


@pytest.mark.parametrize("scheme", ["linear", "anatomical"])
def test_a_feature_that_never_varies_gives_finite_codes(scheme: str) -> None:
    constant = FEATURES.copy()
    constant[:, 1] = 0.0

    conditioning = Conditioning.fit(scheme, constant)

    assert np.isfinite(conditioning.encode(FEATURES)).all()
    assert conditioning.encode(FEATURES[0]).shape == (1, conditioning.size)
