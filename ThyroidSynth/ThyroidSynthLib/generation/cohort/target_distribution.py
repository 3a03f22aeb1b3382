"""The target distribution of a cohort: a distribution of each feature, and the share without an isthmus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import is_kind, number_of, parse_json, read_text, rows_of_table
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .marginals import AS_IN_COHORT, COHORT, FORMS, Marginal

WITHOUT_ISTHMUS = "without_isthmus"
_KEYS = (*FEATURE_NAMES, WITHOUT_ISTHMUS)


@dataclass(frozen=True)
class TargetDistribution:
    """Target distributions of the features, by default those of the training cohort.

    `InputError` if a distribution or the share is impossible.

    Attributes
    ----------
    volume_ml, isthmus_area_mm2, symmetry : Marginal
        Of each feature; that of the isthmus area holds for the glands with an isthmus.
    without_isthmus : float or None
        Share of glands of two separate lobes, 0 to 1; None for the training cohort's.
    """

    volume_ml: Marginal = AS_IN_COHORT
    isthmus_area_mm2: Marginal = AS_IN_COHORT
    symmetry: Marginal = AS_IN_COHORT
    without_isthmus: float | None = None

    def __post_init__(self) -> None:
        for name in FEATURE_NAMES:
            self.marginal(name).check(name)
        if self.without_isthmus is not None and not 0.0 <= self.without_isthmus <= 1.0:
            raise InputError(
                f"A share of {self.without_isthmus:g} without isthmus is impossible. Write it as in 30% or 0.3."
            )

    def marginal(self, feature: str) -> Marginal:
        """Return the distribution of a feature."""
        return getattr(self, feature)

    @classmethod
    def of_texts(cls, texts: Mapping[str, object], base: TargetDistribution | None = None) -> TargetDistribution:
        """Read distributions by feature, and ``without_isthmus`` as in ``30%`` or ``0.3``.

        What is missing or None is taken from `base`, by default the training cohort. `InputError` if a name is not a
        feature or a text is not a distribution.
        """
        unknown = [name for name in texts if name not in _KEYS]
        if unknown:
            raise InputError(f"There is no feature '{unknown[0]}'. Choose among: {', '.join(_KEYS)}.")
        given = {name: str(value) for name, value in texts.items() if value is not None}
        share = given.pop(WITHOUT_ISTHMUS, None)
        found: dict[str, Any] = {name: Marginal.parse(text) for name, text in given.items()}
        if share is not None:
            found[WITHOUT_ISTHMUS] = parse_share(share)
        return replace(base or cls(), **found)

    @classmethod
    def read(cls, path: Path | str) -> TargetDistribution:
        """Read a file of distributions; `InputError` with its name if an entry is not a distribution.

        The file is JSON, an object from feature to distribution; or CSV with the columns ``feature`` and
        ``distribution``. Either may have ``without_isthmus``.
        """
        path = Path(path)
        text = read_text(path)
        texts = _from_json(text, path) if text.lstrip().startswith(("{", "[")) else _from_table(path)
        if not texts:
            raise InputError(f"{path} has no distribution. Name a feature and its distribution in it.")
        try:
            return cls.of_texts(texts)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def to_json(self) -> dict[str, str]:
        """Return the mapping that `of_texts` reads."""
        texts = {name: str(self.marginal(name)) for name in FEATURE_NAMES}
        texts[WITHOUT_ISTHMUS] = COHORT if self.without_isthmus is None else f"{100 * self.without_isthmus:.9g}%"
        return texts


def parse_share(text: str) -> float | None:
    """Read a share such as ``30%`` or ``0.3``; None for ``cohort``; `InputError` if the text is not a share."""
    text = text.strip()
    if text.lower() == COHORT:
        return None
    try:
        return number_of(text[:-1]) / 100 if text.endswith("%") else number_of(text)
    except ValueError:
        raise InputError(f"'{text}' is not a share. Write it as in 30% or 0.3.") from None


def _from_json(text: str, path: Path) -> dict[str, object]:
    found = parse_json(text, path, unique=True)
    if not isinstance(found, dict):
        raise InputError(f'{path} is not an object of distributions. Write it as in {{"volume_ml": "normal(15, 3)"}}.')
    for name, value in found.items():
        if not (isinstance(value, str) or is_kind(value, float)):
            raise InputError(f"{path}: the distribution of '{name}' is neither text nor a number. Write {FORMS}.")
    return found


def _from_table(path: Path) -> dict[str, object]:
    columns, rows = rows_of_table(path)
    if not {"feature", "distribution"} <= set(columns):
        raise InputError(f"{path} lacks the columns 'feature' and 'distribution'. Name them in its first line.")
    found: dict[str, object] = {}
    for line, row in rows:
        if not row["feature"] or row["feature"] in found:
            fault = "is named twice" if row["feature"] else "is missing"
            raise InputError(f"{path}, line {line}: the feature {fault}. Give each feature once.")
        found[row["feature"]] = row["distribution"]
    return found
