"""Which cases a training does not see, so that a model can be tested on thyroids it does not know.

The held-out cases shall look like the cohort, also where they are few. So the cases are put in a row in
which neighbours are alike, and from every stretch of the row one is drawn: those without an isthmus by
increasing volume, then those with one by decreasing volume. A fifth of a cohort then has a fifth of its
glands without an isthmus and of its small, middle and large ones. The draw depends on the seed, the ids
and their features, not on the order in which cases were found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

if TYPE_CHECKING:
    from .cohort import Cohort

# With fewer there is no spread of features to learn from.
LEAST_LEFT = 2

HeldOut = float | tuple[str, ...]
"""What to hold out: a number of cases (1 or more), a share of them (below 1), or the very ids; 0 is nothing."""


def held_out_of(text: str) -> float:
    """Read a number of cases such as ``40``, or a share such as ``0.2`` or ``20%``.

    Returns
    -------
    float
        A whole number from 1 on is a number of cases, what lies between 0 and 1 a share.

    Raises
    ------
    InputError
        It is neither.
    """
    plain = text.strip()
    try:
        value = float(plain[:-1]) / 100 if plain.endswith("%") else float(plain)
    except ValueError:
        value = math.nan
    whole = not plain.endswith("%") and value.is_integer()
    if not ((whole and 0 <= value < math.inf) or 0 <= value < 1):
        raise InputError(f"'{text}' cases cannot be held out. Give a number such as 40, or a share such as 0.2 or 20%.")
    return value


def held_out_text(held_out: HeldOut) -> str:
    """Give what is held out as a person would write it."""
    if isinstance(held_out, tuple | list):
        return f"{len(held_out)} chosen cases"
    return f"{held_out:g}" if held_out >= 1 or held_out == 0 else f"{100 * held_out:g}%"


def held_out_count(held_out: HeldOut, cases: int) -> int:
    """Give how many of so many cases are held out.

    Raises
    ------
    InputError
        None would be although some shall be, or too few would be left to learn from.
    """
    if isinstance(held_out, tuple | list):
        count = len(held_out)
    else:
        count = math.floor(held_out * cases + 0.5) if held_out < 1 else int(held_out)
        if held_out and not count:
            raise InputError(
                f"{held_out_text(held_out)} of {cases} cases is less than half a case. Hold out more, or none (0)."
            )
    if count and cases - count < LEAST_LEFT:
        raise InputError(
            f"With {count} of {cases} cases held out {max(cases - count, 0)} are left to learn from, "
            f"and at least {LEAST_LEFT} are needed. Hold out fewer."
        )
    return count


def hold_out(cohort: Cohort, held_out: HeldOut, *, seed: int = 0) -> tuple[str, ...]:
    """Choose the cases of a cohort that are held out, in the cohort's order.

    Parameters
    ----------
    held_out : HeldOut
        How many, or which.
    seed : int
        Of the draw; ids need none.

    Raises
    ------
    InputError
        Nothing would be held out although something shall be, or too little would be left.
    CohortError
        An id is not in the cohort.
    """
    if isinstance(held_out, tuple | list):
        unknown = sorted(set(held_out).difference(cohort.ids))
        if unknown:
            raise CohortError(f"{cohort.folder} has no case {unknown[0]}, which shall be held out. Check the ids.")
        chosen = set(held_out)
        held_out_count(tuple(chosen), len(cohort.ids))
    else:
        rng = np.random.default_rng(seed)
        count = held_out_count(held_out, len(cohort.ids))
        stretches = np.array_split(_row_of_like_cases(cohort), count) if count else []
        chosen = {cohort.ids[rng.choice(stretch)] for stretch in stretches}
    return tuple(case_id for case_id in cohort.ids if case_id in chosen)


def folds_of(cohort: Cohort, count: int, *, seed: int = 0) -> tuple[tuple[str, ...], ...]:
    """Divide a cohort into folds, each of which is held out once.

    Parameters
    ----------
    count : int
        How many; their sizes differ by one case at most.

    Returns
    -------
    tuple of tuple of str
        The cases of each fold, in the cohort's order; every case is in one fold.

    Raises
    ------
    InputError
        There are fewer than two folds, or more than cases, or too little would be left beside one.
    """
    cases = len(cohort.ids)
    if not 2 <= count <= cases:
        raise InputError(f"{cases} cases cannot be divided into {count} folds. Choose between 2 and {cases}.")
    held_out_count(float(math.ceil(cases / count)), cases)
    rng = np.random.default_rng(seed)
    row = _row_of_like_cases(cohort)
    fold_of = np.empty(cases, dtype=int)
    for start in range(0, cases, count):
        stretch = row[start : start + count]
        fold_of[stretch] = rng.permutation(count)[: len(stretch)]
    return tuple(
        tuple(case_id for case_id, own in zip(cohort.ids, fold_of, strict=True) if own == fold) for fold in range(count)
    )


def _row_of_like_cases(cohort: Cohort) -> np.ndarray:
    """Give the numbers of the cases in a row in which neighbours are alike."""
    volume = cohort.features[:, FEATURE_NAMES.index("volume_ml")]
    present = cohort.features[:, FEATURE_NAMES.index("isthmus_area_mm2")] > 0
    # Large glands of both kinds meet in the middle.
    return np.lexsort((cohort.ids, np.where(present, -volume, volume), present))
