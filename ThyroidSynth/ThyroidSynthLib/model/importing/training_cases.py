"""The training cases of an imported model: their ids, and the features that it was conditioned on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.dataset.authors.units import Units
from ThyroidSynthLib.dataset.cohort import Cohort

# Features of a table agree with those that a model was conditioned on up to single precision.
_AGREES = 1e-4


@dataclass(frozen=True)
class TrainingCases:
    """The training cases.

    Attributes
    ----------
    ids : tuple of str
    rows : ndarray of int, shape (n,)
        Their rows in the latent table of the checkpoint.
    features : ndarray, shape (n, 3)
        In mL, mm² and 1, in the order of `FEATURE_NAMES`.
    """

    ids: tuple[str, ...]
    rows: np.ndarray
    features: np.ndarray


def numbered_cases(published: np.ndarray, units: Units, path: Path) -> tuple[TrainingCases, list[str]]:
    """Return the cases of a checkpoint whose set is not given, by the numbers of their rows, and notes.

    Parameters
    ----------
    published : ndarray, shape (n, 3)
        The features in units; NaN for those that the model was not conditioned on.

    Raises
    ------
    InputError
        The features are missing, or impossible.
    """
    if np.isnan(published).any():
        raise InputError(
            f"{path} does not hold volume, isthmus area and symmetry of its training cases, from which thyroids are "
            "drawn. Give the set that it was trained on (--cohort), prepared with 'thyroidsynth prepare --authors'."
        )
    features, notes = _possible(units.features(published), path)
    ids = tuple(f"row{number:05d}" for number in range(len(features)))
    notes.append("the ids of the training cases are unknown; they are named by their rows")
    return TrainingCases(ids, np.arange(len(features)), features), notes


def cases_of_cohort(cohort: Cohort, published: np.ndarray, units: Units, path: Path) -> tuple[TrainingCases, list[str]]:
    """Return the cases of a checkpoint of the published set, which is given as a cohort, and notes.

    The authors' training numbers the shapes by their sorted names, and takes the features in the order of the rows of
    ``features.csv``, which is another one if the table is not sorted.

    Raises
    ------
    InputError
        The numbers of cases differ, or features are impossible.
    """
    about = cohort.document["authors"]
    trained = list(about["trained_ids"])
    if len(trained) != len(published):
        raise InputError(
            f"{path} was trained on {counted(len(published), 'case')}, and the set of {cohort.folder} has "
            f"{len(trained)}. Prepare the set that it was trained on."
        )
    rows = np.array([row for row, case_id in enumerate(trained) if case_id in cohort.ids])
    ids = tuple(trained[row] for row in rows)
    own = cohort.features[[cohort.ids.index(case_id) for case_id in ids]]
    given = units.features(published)[rows]
    notes = _order_notes(cohort, published, path)
    # Features that the model was not conditioned on are those of the shapes.
    features, more = _possible(np.where(np.isnan(given), own, given), path)
    if len(ids) < len(trained):
        more.append(f"{len(trained) - len(ids)} of its {len(trained)} training cases are not in the cohort")
    return TrainingCases(ids, rows, features), [*notes, *more]


def _order_notes(cohort: Cohort, published: np.ndarray, path: Path) -> list[str]:
    """Return a note if the features that a model was conditioned on are not those of its shapes."""
    stated = {case["id"]: case.get("published_units") for case in cohort.document["cases"]}
    about = cohort.document["authors"]

    def agrees(order: list[str]) -> bool:
        if len(order) != len(published):
            return False
        known = [(row, stated[case_id]) for row, case_id in enumerate(order) if stated.get(case_id)]
        table = np.array([[np.nan if value is None else value for value in values] for _, values in known])
        found = published[[row for row, _ in known]]
        both = ~np.isnan(table) & ~np.isnan(found) if known else np.zeros(0, dtype=bool)
        return bool(both.any()) and bool(np.allclose(table[both], found[both], rtol=_AGREES, atol=_AGREES))

    if np.isnan(published).all() or not any(stated.values()) or agrees(list(about["trained_ids"])):
        return []
    if agrees(list(about["table_ids"])):
        return [
            "it was conditioned on the features of other shapes: its training took the rows of features.csv in their "
            "order instead of by id, so its features do not steer"
        ]
    return ["the features that it was conditioned on are not those of the set"]


def _possible(features: np.ndarray, path: Path) -> tuple[np.ndarray, list[str]]:
    """Return features with a symmetry from 0 to 1; `InputError` if a volume or an area is impossible."""
    volume, area, symmetry = features.T
    if (volume <= 0).any() or (area < 0).any() or (symmetry > 1 + _AGREES).any():
        raise InputError(
            f"{path} has features that are not volume, isthmus area and symmetry in this order. State their order "
            "(--features)."
        )
    unmeasured = int((symmetry < 0).sum())
    notes = (
        [f"the symmetry of {counted(unmeasured, 'training case')} was not measured (-1) and is 0"] if unmeasured else []
    )
    return np.column_stack([volume, area, np.clip(symmetry, 0.0, 1.0)]), notes
