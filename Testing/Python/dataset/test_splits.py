"""Held-out cases and folds: representative, reproducible, and leaving enough training cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.dataset.splits import folds_of, held_out_count, held_out_of, hold_out


@dataclass(frozen=True)
class Cases:
    """The part of a cohort that a split reads."""

    ids: tuple[str, ...]
    features: np.ndarray
    folder: Path = Path("cohort")


def cases(count: int, *, seed: int = 0) -> Cases:
    rng = np.random.default_rng(seed)
    isthmus = np.where(rng.random(count) < 0.3, 0.0, rng.uniform(10, 90, count))
    features = np.stack([rng.lognormal(2.7, 0.4, count), isthmus, rng.random(count)], axis=1)
    return Cases(tuple(f"s{number:04d}" for number in range(count)), features)


@pytest.mark.parametrize(("text", "value"), [("40", 40.0), ("0", 0.0), ("0.2", 0.2), ("20%", 0.2), (" 1 ", 1.0)])
def test_a_number_or_a_share_is_read(text: str, value: float) -> None:
    assert held_out_of(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "100%", "nan", "inf", "%"])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="such as 40"):
        held_out_of(text)


def test_shares_are_rounded_and_refused_if_too_small_or_too_large() -> None:
    assert [held_out_count(0.2, 200), held_out_count(0.25, 10), held_out_count(3.0, 10)] == [40, 3, 3]
    assert held_out_count(0.0, 1) == 0
    with pytest.raises(InputError, match="less than half a case"):
        held_out_count(0.1, 4)
    for held_out in (9.0, 0.99, 12.0):
        with pytest.raises(InputError, match="are left for training"):
            held_out_count(held_out, 10)


def test_a_few_held_out_cases_represent_isthmus_and_volume_of_the_cohort() -> None:
    cohort = cases(200)
    absent = cohort.features[:, 1] == 0
    share, large = absent.mean(), cohort.features[:, 0] > np.median(cohort.features[:, 0])
    for seed in range(20):
        rows = [cohort.ids.index(case_id) for case_id in hold_out(cohort, 20.0, seed=seed)]
        assert len(rows) == 20
        assert abs(absent[rows].sum() - 20 * share) <= 1
        assert abs(large[rows].sum() - 10) <= 2


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_the_cases() -> None:
    cohort = cases(60)
    order = np.random.default_rng(1).permutation(60)
    mixed = Cases(tuple(cohort.ids[row] for row in order), cohort.features[order])

    assert hold_out(cohort, 0.2, seed=3) == hold_out(cohort, 12.0, seed=3)
    assert set(hold_out(cohort, 0.2, seed=3)) == set(hold_out(mixed, 0.2, seed=3))
    assert hold_out(cohort, 0.2, seed=3) != hold_out(cohort, 0.2, seed=4)
    assert [set(fold) for fold in folds_of(cohort, 5)] == [set(fold) for fold in folds_of(mixed, 5)]


def test_given_ids_are_held_out() -> None:
    cohort = cases(6)
    assert hold_out(cohort, ("s0004", "s0001")) == ("s0001", "s0004")
    with pytest.raises(CohortError, match="no case s9"):
        hold_out(cohort, ("s9", "s0001"))
    with pytest.raises(InputError, match="are left for training"):
        hold_out(cohort, cohort.ids)


def test_every_case_is_in_one_fold_and_folds_are_similar() -> None:
    cohort = cases(203)
    folds = folds_of(cohort, 5, seed=2)
    assert sorted(case_id for fold in folds for case_id in fold) == list(cohort.ids)
    assert {len(fold) for fold in folds} == {40, 41}
    absent = [sum(cohort.features[cohort.ids.index(case_id), 1] == 0 for case_id in fold) for fold in folds]
    assert max(absent) - min(absent) <= 2
    assert folds != folds_of(cohort, 5, seed=3)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_impossible_numbers_of_folds_are_refused(count: int) -> None:
    with pytest.raises(InputError, match="cannot be divided"):
        folds_of(cases(6), count)


def test_folds_that_leave_too_few_training_cases_are_refused() -> None:
    with pytest.raises(InputError, match="are left for training"):
        folds_of(cases(3), 2)
