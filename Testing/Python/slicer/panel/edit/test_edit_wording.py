"""What the panel says of a fit and of an edit."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

GOOD = {"dice": 0.95, "assd_mm": 0.31, "hd95_mm": 0.9, "distance": 1.1, "inside_share": 1.0}
CUT = GOOD | {"cut_by_scan": 1.0}


@pytest.fixture
def wording(slicer_app):
    from ThyroidSynthLib.slicer.panel.edit import wording as edit_wording

    return edit_wording


def test_a_good_fit_is_told_with_its_numbers_and_no_warning(wording):
    assert "knows this shape well" in wording.fitText(GOOD)
    assert "Dice 0.95, 0.3 mm apart on average, 0.9 mm at 95 %" in wording.fitText(GOOD)
    assert wording.fitWarning(GOOD) == ""


def test_a_gland_like_none_of_the_models_is_warned_of(wording):
    # What the real case gives with a model of synthetic thyroids.
    real = {"dice": 0.71, "assd_mm": 1.6, "hd95_mm": 4.9, "distance": 3.9, "inside_share": 0.93}
    assert "hardly knows this shape" in wording.fitText(real)
    warning = wording.fitWarning(real)
    assert "3.9 SDs" in warning
    assert "7 % of it" in warning
    assert "a guess" in warning


def test_a_fit_in_between_is_told_as_rough(wording):
    assert "roughly" in wording.fitText(GOOD | {"dice": 0.86})
    assert "roughly" in wording.fitText(GOOD | {"hd95_mm": 3.0})


def test_a_poor_overlap_alone_is_warned_of(wording):
    assert "a guess" in wording.fitWarning(GOOD | {"dice": 0.7})


def test_a_gland_cut_by_the_scan_is_said_and_is_no_bad_fit(wording):
    warning = wording.fitWarning(CUT)
    assert "border cuts this gland" in warning
    assert "guess" not in warning
    completed = {"completed_ml": 14.23, "completed_low_ml": 12.5, "completed_high_ml": 16.04}
    assert "14.2 mL in all, 12.5 mL to 16.0 mL at 90 %" in wording.fitWarning(CUT | completed)
    assert "a guess" in wording.fitWarning(CUT | {"distance": 3.0})


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
def test_a_difference_has_a_sign_a_unit_and_per_cent(wording, name, before, now, text):
    assert wording.changeText(name, before, now) == text


def test_what_is_out_of_reach_is_told_by_feature(wording):
    targets = {"volume_ml": 90.0, "isthmus_area_mm2": 40.0}
    text = wording.missText(targets, {"volume_ml": 82.5, "isthmus_area_mm2": 46.0, "symmetry": 0.6})
    assert "volume 7.5 mL below the wish, isthmus area 6 mm² above the wish" in text
    assert "symmetry" not in text
    assert wording.missText(targets, targets | {"symmetry": 0.5}) == "Not quite reached."


def test_a_change_that_leads_out_of_the_cohort_is_told_and_what_is_held_is_not(wording):
    import numpy as np

    cohort = SimpleNamespace(features=np.array([[5.0, 0.0, 0.4], [30.0, 90.0, 0.8]]))
    original = {"volume_ml": 14.0, "isthmus_area_mm2": 120.0, "symmetry": 0.6}
    text = wording.beyondText({"volume_ml": 42.5, "isthmus_area_mm2": 120.0}, original, cohort)
    assert text == "Volume 42.5 mL is 12.5 mL above the largest of the cohort (30.0 mL)."
    assert wording.beyondText({"volume_ml": 20.0, "symmetry": 0.7}, original, cohort) == ""
    assert wording.beyondText({"volume_ml": 42.5}, original, None) == ""
