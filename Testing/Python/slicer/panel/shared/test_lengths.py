"""Lengths are shown in the unit that the user chose in Slicer's settings."""

from __future__ import annotations

import pytest

# Suffix, coefficient and precision as `vtkSlicerUnitsLogic` adds them.
MM, CM, M, UM = ("mm", 1.0, 4), ("cm", 0.1, 4), ("m", 0.001, 4), ("µm", 1000.0, 4)


@pytest.fixture
def choose_unit(scene):
    """Choose the unit of a quantity, as the user does in the application's settings."""
    import slicer

    selection = slicer.app.applicationLogic().GetSelectionNode()
    changed = {}

    def choose(quantity: str, suffix: str, coefficient: float, precision: int) -> None:
        unit = selection.GetUnitNode(quantity)
        changed[quantity] = unit.GetSuffix(), unit.GetDisplayCoefficient(), unit.GetPrecision()
        set_unit(quantity, suffix, coefficient, precision)

    def set_unit(quantity: str, suffix: str, coefficient: float, precision: int) -> None:
        unit = selection.GetUnitNode(quantity)
        unit.SetSuffix(suffix)
        unit.SetDisplayCoefficient(coefficient)
        unit.SetPrecision(precision)

    yield choose
    for quantity, before in changed.items():
        set_unit(quantity, *before)


@pytest.mark.parametrize(
    ("unit", "decimals", "text"),
    [
        (MM, 1, "12.3 mm"),
        (MM, 0, "12 mm"),
        (CM, 1, "1.23 cm"),
        (CM, 0, "1.2 cm"),
        (M, 1, "0.0123 m"),
        (UM, 1, "12340 µm"),
        (("mm", 1.0, 0), 1, "12 mm"),
        (("cm", 0.1, 1), 1, "1.2 cm"),
        (("mm", 0.0, 4), 1, "12.3 mm"),
    ],
)
def test_a_length_has_the_unit_and_the_digits_that_are_known(choose_unit, unit, decimals, text):
    from ThyroidSynthLib.slicer.panel.shared.wording import lengthText

    choose_unit("length", *unit)
    assert lengthText(12.34, decimals) == text


def test_lengths_are_in_mm_by_default_and_without_a_unit(scene):
    import slicer

    from ThyroidSynthLib.slicer.panel.shared.wording import lengthText

    assert lengthText(12.34, 1) == "12.3 mm"
    selection = slicer.app.applicationLogic().GetSelectionNode()
    before = selection.GetUnitNodeID("length")
    selection.SetUnitNodeID("length", "")
    assert lengthText(12.34, 1) == "12.3 mm"
    selection.SetUnitNodeID("length", before)


def test_the_panel_shows_lengths_in_the_unit_and_features_in_theirs(choose_unit, hands, dataset):
    choose_unit("length", *CM)
    choose_unit("volume", "mm3", 1.0, 5)
    hands.load(dataset)
    hands.wait(lambda: "cm in the scan" in hands.tracheaInfoLabel.text)
    hands.wait(lambda: " mL, isthmus" in hands.ownFeaturesLabel.text)
    assert "mm²" in hands.ownFeaturesLabel.text
