"""Held-out cases, on which a model is tested, and folds for cross-validation.

The draw is stratified, so that even a few held-out cases represent the cohort: cases are sorted such that
neighbours are similar (those without an isthmus by increasing volume, then those with one by decreasing
volume), and one case is drawn from each of equally long sections. The draw depends on the random seed, the
ids and the features, not on the order in which cases were found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.common.text_files import number_of
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

if TYPE_CHECKING:
    from .cohort import Cohort

# A model needs a spread of features.
LEAST_TRAINING_CASES = 2

HeldOut = float | tuple[str, ...]
"""Held-out cases: their number (1 or more), their share (below 1), or their ids; 0 for none."""


def held_out_of(text: str) -> float:
    """Read a number of cases such as ``40``, or a share such as ``0.2`` or ``20%``; `InputError` for other texts."""
    plain = text.strip()
    try:
        value = number_of(plain[:-1]) / 100 if plain.endswith("%") else number_of(plain)
    except ValueError:
        value = math.nan
    whole = not plain.endswith("%") and value.is_integer()
    if not ((whole and 0 <= value < math.inf) or 0 <= value < 1):
        raise InputError(f"'{text}' cases cannot be held out. Give a number such as 40, or a share such as 0.2 or 20%.")
    return value


def held_out_text(held_out: HeldOut) -> str:
    """Return a description of the held-out cases."""
    if isinstance(held_out, tuple | list):
        return counted(len(held_out), "chosen case")
    return f"{held_out:g}" if held_out >= 1 or held_out == 0 else f"{100 * held_out:g}%"


def held_out_count(held_out: HeldOut, cases: int) -> int:
    """Return the number of held-out cases of a cohort with `cases` cases.

    Raises `InputError` if the share is less than half a case, or too few training cases are left.
    """
    if isinstance(held_out, tuple | list):
        count = len(held_out)
    else:
        count = math.floor(held_out * cases + 0.5) if held_out < 1 else int(held_out)
        if held_out and not count:
            raise InputError(
                f"{held_out_text(held_out)} of {cases} cases is less than half a case. Hold out more, or none (0)."
            )
    if count and cases - count < LEAST_TRAINING_CASES:
        raise InputError(
            f"With {count} of {cases} cases held out {max(cases - count, 0)} are left for training, "
            f"and at least {LEAST_TRAINING_CASES} are needed. Hold out fewer."
        )
    return count


def hold_out(cohort: Cohort, held_out: HeldOut, *, seed: int = 0) -> tuple[str, ...]:
    """Return the ids of the held-out cases, in the order of the cohort.

    Parameters
    ----------
    seed : int
        Random seed of the draw; not used for ids.

    Raises
    ------
    InputError
        See `held_out_count`.
    CohortError
        An id is not in the cohort.
    """
    if isinstance(held_out, tuple | list):
        chosen = set(held_out)
        if unknown := sorted(chosen.difference(cohort.ids)):
            raise CohortError(f"{cohort.folder} has no case {unknown[0]} to hold out. Check the ids.")
        held_out_count(tuple(chosen), len(cohort.ids))
    else:
        rng = np.random.default_rng(seed)
        count = held_out_count(held_out, len(cohort.ids))
        sections = np.array_split(_sorted_by_similarity(cohort), count) if count else []
        chosen = {cohort.ids[rng.choice(section)] for section in sections}
    return tuple(case_id for case_id in cohort.ids if case_id in chosen)


def folds_of(cohort: Cohort, count: int, *, seed: int = 0) -> tuple[tuple[str, ...], ...]:
    """Divide a cohort into folds for cross-validation: the ids of each, in the order of the cohort.

    Parameters
    ----------
    count : int
        Number of folds; their sizes differ by one case at most.

    Raises
    ------
    InputError
        The number of folds is less than two or more than the number of cases, or a fold leaves too few training cases.
    """
    cases = len(cohort.ids)
    if not 2 <= count <= cases:
        raise InputError(f"{cases} cases cannot be divided into {count} folds. Choose between 2 and {cases}.")
    held_out_count(float(math.ceil(cases / count)), cases)
    rng = np.random.default_rng(seed)
    order = _sorted_by_similarity(cohort)
    fold_of = np.empty(cases, dtype=int)
    for start in range(0, cases, count):
        section = order[start : start + count]
        fold_of[section] = rng.permutation(count)[: len(section)]
    return tuple(
        tuple(case_id for case_id, own in zip(cohort.ids, fold_of, strict=True) if own == fold) for fold in range(count)
    )


def _sorted_by_similarity(cohort: Cohort) -> np.ndarray:
    """Return the rows of the cases in an order in which neighbours are similar, shape (n,)."""
    volume = cohort.features[:, FEATURE_NAMES.index("volume_ml")]
    present = cohort.features[:, FEATURE_NAMES.index("isthmus_area_mm2")] > 0
    # The large glands of both kinds meet in the middle. Ids break ties.
    return np.lexsort((np.array(cohort.ids), np.where(present, -volume, volume), present))
