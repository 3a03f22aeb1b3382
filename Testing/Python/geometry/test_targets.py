"""Targets: which values are possible, and their forms."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("volume_ml", 0.0),
        ("volume_ml", -3.0),
        ("volume_ml", float("inf")),
        ("volume_ml", float("nan")),
        ("isthmus_area_mm2", -0.1),
        ("isthmus_area_mm2", float("inf")),
        ("symmetry", 1.01),
        ("symmetry", -0.01),
        ("symmetry", float("nan")),
        ("weight_g", 20.0),
    ],
)
def test_impossible_values_and_unknown_features_are_rejected_by_name(name: str, value: float) -> None:
    words = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus area"}.get(name, name)
    with pytest.raises(InputError, match=words):
        Targets.of({name: value})


def test_limits_of_the_features_are_possible() -> None:
    targets = Targets(volume_ml=0.1, isthmus_area_mm2=0.0, symmetry=1.0)
    assert targets.as_dict() == {"volume_ml": 0.1, "isthmus_area_mm2": 0.0, "symmetry": 1.0}
    assert Targets(symmetry=0.0).as_dict() == {"symmetry": 0.0}


def test_free_features_are_left_out_of_the_dictionary_and_nan_in_the_array() -> None:
    targets = Targets.of({"volume_ml": 15.0, "symmetry": None})
    assert targets == Targets(volume_ml=15.0)
    assert targets.as_dict() == {"volume_ml": 15.0}
    np.testing.assert_array_equal(targets.as_array(), [15.0, np.nan, np.nan])
    assert Targets.from_array(targets.as_array()) == targets


def test_targets_are_true_if_any_feature_has_one() -> None:
    assert Targets(isthmus_area_mm2=0.0)
    assert not NO_TARGETS


def test_targets_are_written_in_words() -> None:
    assert str(Targets(95.0, None, 0.6)) == "95.0 mL, symmetry 0.60"
    assert str(Targets(isthmus_area_mm2=40.4)) == "40 mm²"
    assert str(NO_TARGETS) == ""
