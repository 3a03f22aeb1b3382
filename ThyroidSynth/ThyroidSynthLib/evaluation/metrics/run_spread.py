"""How much the figures of an evaluation vary from one training to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RunSpread:
    """A measure over several runs.

    Attributes
    ----------
    count : int
        Runs in which it was measured.
    mean, low, high : float
        Over these.
    sd : float or None
        Standard deviation over all of them (n - 1); None of a single one.
    sd_folds : float or None
        SD over the folds of their means over the seeds: what the choice of cases does.
    sd_seeds : float or None
        SD over the seeds within a fold: what chance in the training does. Both are None unless there
        are several folds and several seeds.
    """

    count: int
    mean: float
    low: float
    high: float
    sd: float | None
    sd_folds: float | None
    sd_seeds: float | None


def spread_of(values: Sequence[float | None], folds: Sequence[int]) -> RunSpread | None:
    """Sum up a measure over runs; None where no run has it.

    Parameters
    ----------
    values : sequence of float or None
        One for each run; None where it was not measured.
    folds : sequence of int
        The fold of each run.
    """
    measured = [(value, fold) for value, fold in zip(values, folds, strict=True) if value is not None]
    if not measured:
        return None
    numbers = np.array([value for value, _ in measured])
    of_fold = [numbers[[own == fold for _, own in measured]] for fold in sorted({fold for _, fold in measured})]
    crossed = len(of_fold) > 1 and all(len(group) > 1 for group in of_fold)
    return RunSpread(
        count=len(numbers),
        mean=float(numbers.mean()),
        low=float(numbers.min()),
        high=float(numbers.max()),
        sd=float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
        sd_folds=float(np.std([group.mean() for group in of_fold], ddof=1)) if crossed else None,
        sd_seeds=float(np.sqrt(np.mean([group.var(ddof=1) for group in of_fold]))) if crossed else None,
    )
