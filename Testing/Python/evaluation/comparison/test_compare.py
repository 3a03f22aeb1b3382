"""Comparison of evaluations: values in their columns, clear errors, nothing overwritten."""

import csv
import json

import pytest

from support.page_tags import check_page
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.evaluation.comparison.compare import compare, read_evaluations, write_comparison
from ThyroidSynthLib.evaluation.metrics.headline import MEASURES


def write_evaluation(folder, *, dice=0.95, pcc=0.97, cohort="c", **more):
    folder.mkdir(parents=True)
    document = {
        "kind": "evaluation",
        "format_version": 3,
        "notice": "Not for clinical use.",
        "synthetic_cohort": True,
        "model": {"checksum": "abc", "variant": "fixed", "cases": 160, "settings": {"preset": "fast", "epochs": 200}},
        "cohort": {"checksum": cohort},
        "options": {"count": 200},
        "reconstruction": {"cases": 160, "chamfer_mm": {"mean": 1.3}, "dice": {"mean": dice}},
        "steering": {"direct_sampling": {"symmetry": {"pcc": pcc, "slope": None}}},
        "validity": {"share_of_draws": 0.985},
        **more,
    }
    (folder / "evaluation.json").write_text(json.dumps(document))
    return folder


def rows_of(comparison):
    return {row["key"]: row for row in comparison["measures"]}


def test_every_model_and_the_paper_have_a_column(tmp_path):
    ours = write_evaluation(tmp_path / "ours", pcc=0.81)
    fixed = write_evaluation(tmp_path / "fixed", pcc=0.34)
    rows = rows_of(compare(read_evaluations([ours, fixed / "evaluation.json"])))
    symmetry = rows["direct_sampling_pcc_symmetry"]
    assert symmetry["values"] == {"ours": 0.81, "fixed": 0.34} and symmetry["leading"] == ["ours"]
    assert symmetry["published"] == {"baseline": None, "fixed": 0.32, "correlation": 0.43}
    # A measure without values has no row, and values with equal displayed digits have no best one.
    assert "held_out_dice" not in rows and rows["training_dice"]["leading"] == []


def test_the_files_contain_the_comparison(tmp_path):
    folders = [write_evaluation(tmp_path / name) for name in ("<b>", "second")]
    comparison = compare(read_evaluations(folders))
    page = write_comparison(comparison, tmp_path / "out")
    with (tmp_path / "out" / "comparison.csv").open() as stream:
        table = {row["key"]: row for row in csv.DictReader(stream)}
    assert table["training_dice"]["second"] == "0.95" and table["training_chamfer_mm"]["paper: fixed"] == "1.63"
    assert table["valid_share"]["second"] == "0.985"
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == comparison
    text = page.read_text(encoding="utf-8")
    check_page(text)
    assert "98.5%" in text and "Synthetic cohort." in text and "&lt;b&gt;" in text and "http" not in text
    with pytest.raises(OutputError, match="already holds a comparison"):
        write_comparison(comparison, tmp_path / "out")


def write_cross_validation(folder, dice, **more):
    """Write a cross-validation of two seeds, with the mean and the SD of a measure."""
    folder.mkdir()
    document = {
        "kind": "cross-validation",
        "format_version": 2,
        "notice": "Not for clinical use.",
        "synthetic_cohort": True,
        "cohort": {"checksum": folder.name},
        "plan": {"settings": {"variant": "fixed", "preset": "best", "epochs": 400}},
        "planned": 2,
        "complete": True,
        "runs": [{"seed": seed, "cases": 32, "held_out": ["a"] * 8} for seed in (0, 1)],
        "measures": [
            {"key": "held_out_dice", "mean": dice, "sd": 0.004},
            {"key": "valid_share", "mean": 1, "sd": None},
        ],
        **more,
    }
    (folder / "cross_validation.json").write_text(json.dumps(document))
    return folder


def test_cross_validations_on_two_cohorts_are_compared_by_mean_and_sd(tmp_path):
    folders = [write_cross_validation(tmp_path / "a", 0.951), write_cross_validation(tmp_path / "b", 0.93)]
    alone = write_evaluation(
        tmp_path / "alone", cohort="a", reconstruction_held_out={"cases": 8, "dice": {"mean": 0.94}}
    )
    comparison = compare(read_evaluations([*folders, alone]))
    row = rows_of(comparison)["held_out_dice"]
    assert row["values"] == {"a": 0.951, "b": 0.93, "alone": 0.94} and row["sd"] == {"a": 0.004, "b": 0.004}
    assert row["leading"] == ["a"]
    assert rows_of(comparison)["valid_share"]["sd"] == {"a": None, "b": None}
    assert [model.get("runs") for model in comparison["models"]] == [2, 2, None]
    assert any("different cohorts" in note for note in comparison["notes"])
    page = write_comparison(comparison, tmp_path / "out").read_text(encoding="utf-8")
    check_page(page)
    assert "0.951</b> <small>± 0.004" in page and "mean of 2 runs" in page
    with (tmp_path / "out" / "comparison.csv").open() as stream:
        table = {row["key"]: row for row in csv.DictReader(stream)}
    assert (table["held_out_dice"]["b"], table["held_out_dice"]["b: SD"]) == ("0.93", "0.004")


def test_an_unfinished_cross_validation_is_noted_and_a_damaged_one_refused(tmp_path):
    begun = write_cross_validation(tmp_path / "begun", 0.9, planned=5, complete=False)
    assert any("begun is not complete: 2 of 5 runs" in note for note in compare(read_evaluations([begun]))["notes"])
    for name, more in (
        ("x", {"runs": []}),
        ("y", {"measures": [3]}),
        ("z", {"measures": [{"key": "held_out_dice", "mean": "much"}]}),
    ):
        with pytest.raises(InputError, match="is damaged"):
            read_evaluations([write_cross_validation(tmp_path / name, 0.9, **more)])


def test_a_note_names_different_cohorts(tmp_path):
    folders = [write_evaluation(tmp_path / "a"), write_evaluation(tmp_path / "b", cohort="another")]
    assert any("different cohorts" in note for note in compare(read_evaluations(folders))["notes"])


def test_a_small_p_value_is_not_formatted_as_zero():
    measure = next(each for each in MEASURES if each.key == "ks_p_volume_ml")
    assert [measure.text(value) for value in (0.04, 2.3e-5, 0.0, None)] == ["0.040", "2e-05", "0.000", "–"]


def test_folders_with_the_same_name_are_named_with_their_parents(tmp_path):
    folders = [write_evaluation(tmp_path / where / "evaluation") for where in ("ours", "theirs")]
    assert [each.name for each in read_evaluations(folders)] == ["ours/evaluation", "theirs/evaluation"]


def test_invalid_evaluations_are_refused_with_the_reason(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "evaluation.json").write_text("{}")
    older = write_evaluation(tmp_path / "older", format_version=2)
    for path, message in (
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "other", "is not an evaluation"),
        (older, "another version of ThyroidSynth. Evaluate the model again"),
    ):
        with pytest.raises(InputError, match=message):
            read_evaluations([path])
    with pytest.raises(InputError, match="is given twice"):
        read_evaluations([older, older])
