"""Results of a study, against counts by hand."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.evaluation.metrics.reader_agreement import area_under_curve, intraclass_correlation
from ThyroidSynthLib.evaluation.reader_study import RatingSession, StudyPlan, summarise, write_summary


def rate(plan: StudyPlan, reader: str, rating_of, *, stop: int | None = None) -> None:
    """Rate as a reader: `rating_of` returns the rating of a shape and its showing."""
    session = RatingSession(plan, reader)
    for showing in session.order[:stop]:
        session.rate(rating_of(plan.shape(showing.shape), showing.showing), 2.0 + showing.showing)
    session.close()


def by_kind(real: int, synthetic: int):
    return lambda shape, showing: real if shape.kind == "real" else synthetic


def test_two_readers_are_summarised_as_counted_by_hand(plan):
    # AB: real 4, synthetic 2, but the synthetic shape 0 gets 4 too. Pairs 6 * 4: 6 ties, 18 higher; AUC 21 / 24.
    rate(plan, "AB", lambda shape, showing: 4 if shape.kind == "real" or shape.name == "synthetic 0" else 2)
    # CD: all 3 at first; the second showing is rated 5.
    rate(plan, "CD", lambda shape, showing: 3 if showing == 1 else 5)
    document = summarise(plan.folder).document
    ab, cd = document["readers"]
    assert (ab["reader"], ab["rated"], ab["showings"], ab["complete"]) == ("AB", 15, 15, True)
    assert ab["auc"] == pytest.approx(21 / 24)
    assert ab["real"] == {"shapes": 6, "mean_rating": 4.0, "counts": {"1": 0, "2": 0, "3": 0, "4": 6, "5": 0}}
    assert ab["synthetic"]["mean_rating"] == pytest.approx(2.5)
    assert ab["repeats"]["pairs"] == 5
    assert ab["repeats"]["mean_absolute_difference"] == 0.0
    assert ab["repeats"]["icc"] is None or ab["repeats"]["icc"] == pytest.approx(1.0)
    assert (cd["auc"], cd["repeats"]["mean_absolute_difference"]) == (0.5, 2.0)
    assert cd["median_seconds"] == 3.0
    everyone = document["all_readers"]
    assert (everyone["readers"], everyone["real"], everyone["synthetic"]) == (2, 6, 4)
    assert everyone["auc"] == pytest.approx((21 / 24 + 0.5) / 2)
    table = np.array([[4, 3]] * 7 + [[2, 3]] * 3)
    assert everyone["icc"] == pytest.approx(intraclass_correlation(table).value)


def test_figures_of_random_ratings_are_those_of_the_ratings(plan):
    rng = np.random.default_rng(1)
    given: dict[tuple[str, int, int], int] = {}

    def random_for(reader):
        def rating(shape, showing):
            given[reader, shape.number, showing] = int(rng.integers(1, 6))
            return given[reader, shape.number, showing]

        return rating

    for reader in ("AB", "CD", "EF"):
        rate(plan, reader, random_for(reader))
    document = summarise(plan.folder).document
    table = np.array([[given[reader, n, 1] for reader in ("AB", "CD", "EF")] for n in range(1, 11)])
    real = np.array([shape.kind == "real" for shape in plan.shapes])
    expected = area_under_curve(table[real], table[~real])
    assert document["all_readers"]["auc"] == pytest.approx(expected.value)
    assert document["all_readers"]["auc_interval"] == pytest.approx(expected.interval)
    for column, found in enumerate(document["readers"]):
        single = area_under_curve(table[real, column : column + 1], table[~real, column : column + 1])
        assert found["auc"] == pytest.approx(single.value)
        assert found["auc_interval"] == pytest.approx(single.interval)
        pairs = np.array([[given[found["reader"], n, showing] for showing in (1, 2)] for n in plan.repeated])
        assert found["repeats"]["icc"] == pytest.approx(intraclass_correlation(pairs).value)
        assert found["repeats"]["mean_absolute_difference"] == pytest.approx(np.abs(np.diff(pairs)).mean())


def test_an_unfinished_reader_is_named_as_such_and_only_common_shapes_are_compared(plan):
    rate(plan, "AB", by_kind(5, 1))
    rate(plan, "CD", by_kind(4, 2), stop=6)
    document = summarise(plan.folder).document
    assert [each["complete"] for each in document["readers"]] == [True, False]
    assert "CD: 6 of 15 rated" in summarise(plan.folder).text
    common = {each.shape for each in plan.order_for("cd")[:6] if each.showing == 1}
    everyone = document["all_readers"]
    assert everyone["real"] + everyone["synthetic"] == len(common)


def test_one_reader_has_no_agreement_between_readers(plan):
    rate(plan, "AB", by_kind(5, 1))
    summary = summarise(plan.folder)
    assert summary.document["all_readers"]["icc"] is None
    assert "between readers" not in summary.text.partition("AUC: area")[0]
    assert "AUC 1.00 (no interval)" in summary.text


def test_the_table_names_what_was_rated(plan):
    rate(plan, "AB", by_kind(5, 1))
    rows = list(csv.DictReader(io.StringIO(summarise(plan.folder).to_csv())))
    assert " ".join(rows[0]) == (
        "reader position shape showing rating seconds time kind name volume_ml isthmus_area_mm2 symmetry study_seed"
    )
    assert len(rows) == 15
    for row in rows:
        shape = plan.shape(int(row["shape"]))
        assert (row["kind"], row["name"]) == (shape.kind, shape.name)
        assert row["rating"] == ("5" if shape.kind == "real" else "1")
        assert float(row["volume_ml"]) == pytest.approx(shape.features["volume_ml"], rel=1e-5)


def test_a_copy_of_a_table_is_not_counted_as_another_reader(plan):
    rate(plan, "AB", by_kind(5, 1))
    (plan.folder / "ratings-ab (copy).csv").write_bytes((plan.folder / "ratings-ab.csv").read_bytes())
    with pytest.raises(InputError, match=r"ratings-ab \(copy\)\.csv holds ratings of AB"):
        summarise(plan.folder)


def test_a_study_without_ratings_has_no_summary(plan):
    with pytest.raises(InputError, match="holds no ratings yet"):
        summarise(plan.folder)


def test_a_summary_replaces_only_an_earlier_summary(plan, tmp_path):
    rate(plan, "AB", by_kind(5, 1))
    out = tmp_path / "summary"
    write_summary(summarise(plan.folder), out, overwrite=False)
    assert {path.name for path in out.iterdir()} == {"summary.json", "summary.txt", "ratings.csv"}
    with pytest.raises(OutputError, match="already holds a reader study summary"):
        write_summary(summarise(plan.folder), out, overwrite=False)
    write_summary(summarise(plan.folder), out, overwrite=True)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "ratings.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"ratings\.csv would be replaced"):
        write_summary(summarise(plan.folder), mine, overwrite=True)
    assert (mine / "ratings.csv").read_text() == "mine"


def test_the_command_prints_and_writes_the_summary(plan, tmp_path, capsys):
    rate(plan, "AB", by_kind(5, 1))
    assert main(["reader-study", str(plan.folder)]) == 0
    assert "AUC 1.00" in capsys.readouterr().out
    assert not (plan.folder / "summary").exists()
    assert main(["reader-study", str(plan.folder), "--out", str(tmp_path / "out"), "--json", "--quiet"]) == 0
    printed = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert printed["readers"] == written["readers"]
    assert main(["reader-study", str(plan.folder), "--out", str(tmp_path / "out")]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["reader-study", str(plan.folder), "--out", str(plan.folder)]) == 1
    assert "is an input" in capsys.readouterr().err
    assert main(["reader-study", str(tmp_path)]) == 1
    assert "holds no reader study" in capsys.readouterr().err
    assert main(["reader-study", str(tmp_path / "missing")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_study_is_described_by_info(plan, capsys):
    assert main(["info", str(plan.folder), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert (described["kind"], described["real"], described["synthetic"]) == ("reader study", 6, 4)
