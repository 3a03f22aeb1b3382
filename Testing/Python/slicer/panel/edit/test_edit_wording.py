"""Texts about a fit and an edit."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

GOOD = {"dice": 0.95, "assd_mm": 0.31, "hd95_mm": 0.9, "distance": 1.1, "inside_share": 1.0, "out_of_distribution": 0.6}
CUT = GOOD | {"cut_by_scan": 1.0}


@pytest.fixture
def wording(slicer_app):
    from ThyroidSynthLib.slicer.panel.edit import wording as edit_wording

    return edit_wording


def test_a_good_fit_is_reported_with_its_numbers_and_no_warning(wording):
    assert wording.fitText(GOOD) == ("Good fit. Model alone: Dice 0.95, ASSD 0.3 mm, HD95 0.9 mm.")
    assert wording.fitWarning(GOOD) == ""


def test_a_gland_unlike_the_training_shapes_gets_a_warning(wording):
    # Values of the real case with a model of synthetic thyroids.
    real = {
        "dice": 0.71,
        "assd_mm": 1.6,
        "hd95_mm": 4.9,
        "distance": 3.9,
        "inside_share": 0.93,
        "out_of_distribution": 3.5,
    }
    assert "Poor fit" in wording.fitText(real)
    warning = wording.fitWarning(real)
    assert "score 3.50" in warning
    assert "7 % of the gland" in warning
    assert "unreliable" in warning


def test_a_fit_with_lower_dice_or_higher_hd95_is_fair(wording):
    assert "Fair fit" in wording.fitText(GOOD | {"dice": 0.86})
    assert "Fair fit" in wording.fitText(GOOD | {"hd95_mm": 3.0})


def test_a_low_dice_alone_gets_a_warning(wording):
    assert "unreliable" in wording.fitWarning(GOOD | {"dice": 0.7})


def test_a_gland_cut_by_the_scans_border_is_reported_and_is_no_poor_fit(wording):
    warning = wording.fitWarning(CUT)
    assert "cut by the scan's border" in warning
    assert "unreliable" not in warning and "estimate" not in warning
    completed = {"completed_ml": 14.23, "completed_low_ml": 12.5, "completed_high_ml": 16.04}
    assert "14.2 mL in all (90 % interval 12.5 mL to 16.0 mL)" in wording.fitWarning(CUT | completed)
    assert "unreliable" in wording.fitWarning(CUT | {"out_of_distribution": 1.3})


@pytest.mark.parametrize(
    ("name", "before", "now", "text"),
    [
        ("volume_ml", 10.0, 12.5, "+2.5 mL (+25 %)"),
        ("volume_ml", 10.0, 7.5, "−2.5 mL (−25 %)"),
        ("volume_ml", 10.0, 10.01, "unchanged"),
        ("isthmus_area_mm2", 0.0, 12.0, "+12 mm²"),
        ("isthmus_area_mm2", 80.0, 0.0, "−80 mm² (−100 %)"),
        ("symmetry", 0.5, 0.6, "+0.10 (+20 %)"),
    ],
)
def test_a_change_has_a_sign_a_unit_and_per_cent(wording, name, before, now, text):
    assert wording.changeText(name, before, now) == text


def test_missed_targets_are_listed_by_feature(wording):
    targets = {"volume_ml": 90.0, "isthmus_area_mm2": 40.0}
    text = wording.missText(targets, {"volume_ml": 82.5, "isthmus_area_mm2": 46.0, "symmetry": 0.6})
    assert "volume 7.5 mL below target, isthmus area 6 mm² above target" in text
    assert "symmetry" not in text


def test_targets_met_within_the_tolerance_are_not_listed_as_missed(wording):
    targets = {"volume_ml": 20.0, "isthmus_area_mm2": 40.0, "symmetry": 0.6}
    text = wording.missText(targets, {"volume_ml": 20.3, "isthmus_area_mm2": 42.6, "symmetry": 0.53})
    assert text.startswith("Targets not met: symmetry 0.07 below target. ")


def test_a_thin_isthmus_where_there_should_be_none_is_listed(wording):
    text = wording.missText({"isthmus_area_mm2": 0.0}, {"isthmus_area_mm2": 0.2})
    assert text.startswith("Targets not met: isthmus area less than 1 mm² above target. ")


def test_changed_features_outside_the_cohorts_range_are_reported_and_held_ones_are_not(wording):
    import numpy as np

    cohort = SimpleNamespace(features=np.array([[5.0, 0.0, 0.4], [30.0, 90.0, 0.8]]))
    original = {"volume_ml": 14.0, "isthmus_area_mm2": 120.0, "symmetry": 0.6}
    text = wording.beyondText({"volume_ml": 42.5, "isthmus_area_mm2": 120.0}, original, cohort)
    assert text == "Volume 42.5 mL is 12.5 mL above the cohort's maximum (30.0 mL)."
    assert wording.beyondText({"volume_ml": 20.0, "symmetry": 0.7}, original, cohort) == ""
    assert wording.beyondText({"volume_ml": 42.5}, original, None) == ""
