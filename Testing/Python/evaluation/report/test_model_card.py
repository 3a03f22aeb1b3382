"""The model card has the usual headings and lists what is known and what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ThyroidSynthLib.evaluation.report.model_card import card_text, model_card
from ThyroidSynthLib.model.description import ModelDescription, describe_model

EVALUATION = {
    "reconstruction": {"dice": {"mean": 0.9417}, "assd_mm": {"mean": 0.331}},
    "steering": {"direct_sampling": {name: {"pcc": 0.9} for name in ("volume_ml", "isthmus_area_mm2", "symmetry")}},
    "validity": {"share_of_draws": 0.995},
}


@pytest.fixture
def description() -> ModelDescription:
    return describe_model("example")


def sections(description: ModelDescription, evaluation: dict | None = None) -> dict:
    return {section.heading: section for section in model_card(description, evaluation)}


def test_the_headings_are_those_of_model_cards(description) -> None:
    assert list(sections(description)) == [
        "Intended use",
        "Training data",
        "Training",
        "Evaluation",
        "Limits",
        "Licence",
    ]


def test_missing_information_is_named(description) -> None:
    found = sections(replace(description, licence="", held_out=0))
    assert "Not evaluated yet" in found["Evaluation"].text
    assert "Not stated" in found["Licence"].text
    assert "No case was held out" in found["Limits"].text
    assert "not representative of patients" in found["Limits"].text and "Not for clinical use" in found["Limits"].text


def test_held_out_cases_licence_and_measures_are_listed(description) -> None:
    found = sections(replace(description, licence="CC BY 4.0", held_out=40, cases=160), EVALUATION)
    assert ("Held out", "40, not used for training") in found["Training data"].rows
    assert dict(found["Training data"].rows)["Trained on"].startswith("160 cases of ")
    assert found["Licence"].text == "CC BY 4.0"
    assert "held out" not in found["Limits"].text
    evaluation = dict(found["Evaluation"].rows)
    assert evaluation["Reconstruction of training cases"] == "ASSD 0.33 mm, Dice at 1.5 mm 0.942"
    assert evaluation["Direct sampling"].startswith("PCC, volume 0.900, ")
    assert evaluation["Validity"].endswith("99.5%")


def test_an_evaluation_of_another_version_is_not_shown(description) -> None:
    assert "another version" in sections(description, {"kind": "evaluation"})["Evaluation"].text


def test_a_baseline_has_no_targets_and_an_unknown_variant_its_own_name(description) -> None:
    assert "has no condition" in sections(replace(description, variant="baseline"))["Intended use"].text
    assert dict(sections(replace(description, variant="new"))["Training"].rows)["Variant"] == "new"


def test_the_units_of_the_network_are_named(description) -> None:
    assert dict(sections(description)["Training"].rows)["Network"] == "ReLU units"
    found = sections(replace(description, omega=30.0))
    assert dict(found["Training"].rows)["Network"] == "sine units (SIREN), omega 30"


def test_the_card_is_markdown_without_empty_rows(description) -> None:
    text = card_text(model_card(replace(description, held_out=0), EVALUATION))
    assert text.startswith("## Intended use\n\nGenerates thyroid surfaces")
    assert "\n\n## Licence\n\n" in text and "Held out:" not in text
    assert "- Volume: " in text and "- Isthmus area: " in text


def test_every_text_of_the_card_is_translated(description) -> None:
    found = model_card(description, None, lambda text: f"<{text}>")
    for section in found:
        assert section.heading.startswith("<") and section.heading.endswith(">")
        assert all(name.startswith("<") for name, _ in section.rows)
