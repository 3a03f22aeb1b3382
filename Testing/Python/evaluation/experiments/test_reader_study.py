"""The state of a reader study: order, blinding, answers, and the final table."""

from __future__ import annotations

import csv
import io

import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.evaluation.experiments.reader_study import CONTROL, ReaderStudy, StudyCase


def cases(count: int = 6) -> list[StudyCase]:
    made = [
        StudyCase(n, f"Thyroid {n}", "generated", {"volume_ml": 10.0 + n, "symmetry": 0.5}, model="abc", seed=100 + n)
        for n in range(count - 1)
    ]
    return [*made, StudyCase(count - 1, "Patient", CONTROL, {"volume_ml": 12.0})]


@pytest.fixture
def study() -> ReaderStudy:
    return ReaderStudy.start(cases(), reader=" AB ", seed=7)


def test_the_order_is_random_and_reproducible_with_its_seed(study):
    assert sorted(case.number for case in study.cases) == list(range(6))
    assert ReaderStudy.start(cases(), reader="AB", seed=7) == study
    orders = {tuple(c.number for c in ReaderStudy.start(cases(), reader="", seed=seed).cases) for seed in range(20)}
    assert len(orders) > 15


def test_a_study_needs_two_thyroids():
    with pytest.raises(InputError, match="two thyroids"):
        ReaderStudy.start(cases(1), reader="", seed=0)


def test_answers_belong_to_the_displayed_case(study):
    study = study.answered(rating=4, seconds=2.5).moved(1).answered(rating=1, comment="too smooth", seconds=1.0)
    study = study.moved(-1).answered(seconds=1.5)
    assert study.answer.rating == 4
    assert study.answer.seconds == pytest.approx(4.0)
    assert study.moved(1).answer.comment == "too smooth"
    assert study.rated == 2
    assert not study.complete


def test_the_position_is_limited_to_the_first_and_last_case(study):
    assert study.moved(-3).position == 0
    assert study.moved(99).position == 5


@pytest.mark.parametrize("rating", [0, 6, 2.5])
def test_other_ratings_are_refused(study, rating):
    with pytest.raises(InputError, match="from 1 to 5"):
        study.answered(rating=rating)


def test_names_are_hidden_before_the_end_and_answers_fixed_after_it(study):
    with pytest.raises(InputError, match="Finish"):
        study.to_csv()
    finished = study.finish()
    with pytest.raises(InputError, match="finished"):
        finished.answered(rating=3)


def test_the_table_has_all_cases_and_answers(study):
    for rating in (5, 4, 3, 2, 1):
        study = study.answered(rating=rating, comment='a "b", c', seconds=1.26).moved(1)
    study = study.finish()
    rows = list(csv.DictReader(io.StringIO(study.to_csv())))
    assert " ".join(rows[0]) == (
        "reader order name kind rating comment seconds volume_ml isthmus_area_mm2 symmetry model seed study_seed"
    )
    assert [row["order"] for row in rows] == list("123456")
    assert [row["rating"] for row in rows] == ["5", "4", "3", "2", "1", ""]
    assert rows[0]["comment"] == 'a "b", c'
    assert rows[0]["seconds"] == "1.3"
    assert {row["reader"] for row in rows} == {"AB"}
    assert {row["study_seed"] for row in rows} == {"7"}
    assert {row["seed"] for row in rows} == {"", "100", "101", "102", "103", "104"}
    patient = next(row for row in rows if row["kind"] == CONTROL)
    assert patient["name"] == "Patient"
    assert patient["model"] == ""
    assert patient["volume_ml"] == "12.0"
    assert patient["isthmus_area_mm2"] == ""


def test_means_are_listed_by_kind_with_the_control_last(study):
    study = study.answered(rating=2).moved(1).answered(rating=4)
    means = study.means()
    assert sum(count for _mean, count in means.values()) == 2
    everything = study
    everything = everything.moved(-9)
    for _ in everything.cases:
        everything = everything.answered(rating=3).moved(1)
    assert everything.means() == {"generated": (3.0, 5), CONTROL: (3.0, 1)}
    assert list(everything.means()) == ["generated", CONTROL]


def test_a_comment_is_not_a_formula_in_a_spreadsheet(study):
    text = study.answered(comment="=1+1").finish().to_csv()
    assert "'=1+1" in text


def test_a_study_is_read_as_it_was_written(study):
    study = study.answered(rating=4, comment="ü\n,", seconds=3.25).moved(2)
    assert ReaderStudy.from_json(study.to_json()) == study


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"cases": [], "answers": []}', "not json"])
def test_other_text_is_not_a_study(text):
    assert ReaderStudy.from_json(text) is None
