"""The spread over runs tells what the choice of cases does from what chance in the training does."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.evaluation.metrics.run_spread import spread_of


def test_mean_and_sd_are_over_the_runs_that_were_measured() -> None:
    found = spread_of([1.0, None, 2.0, 3.0], [1, 2, 3, 4])
    assert (found.count, found.mean, found.sd, found.low, found.high) == (3, 2.0, 1.0, 1.0, 3.0)
    assert found.sd_folds is None and found.sd_seeds is None


def test_folds_and_seeds_stand_apart() -> None:
    folds, seeds = [1, 2, 1, 2], [10.0, 20.0, 12.0, 22.0]
    found = spread_of(seeds, folds)
    assert found.sd_folds == pytest.approx(50**0.5)  # of the means 11 and 21
    assert found.sd_seeds == pytest.approx(2**0.5)
    only_seeds = spread_of([1.0, 2.0], [1, 1])
    assert only_seeds.sd_folds is None and only_seeds.sd == pytest.approx(0.5**0.5)


def test_one_run_has_no_sd_and_none_no_spread() -> None:
    assert spread_of([4.0], [1]).sd is None
    assert spread_of([None], [1]) is None
