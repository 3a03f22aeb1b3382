"""The target distribution of a cohort: a distribution of each feature, and the share without an isthmus."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .marginals import AS_IN_COHORT, COHORT, Marginal

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
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read ({error}). Choose a JSON or CSV file in UTF-8.") from error
        try:
            return cls.of_texts(_from_json(text) if text.lstrip().startswith("{") else _from_csv(text))
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
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise InputError(f"'{text}' is not a share. Write it as in 30% or 0.3.") from None


def _from_json(text: str) -> dict[str, object]:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"the file is not valid JSON ({error}).") from None


def _from_csv(text: str) -> dict[str, object]:
    header = text.partition("\n")[0]
    table = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in header else ",", skipinitialspace=True)
    table.fieldnames = [name.strip() for name in table.fieldnames or ()]
    if not {"feature", "distribution"} <= set(table.fieldnames):
        raise InputError("the columns 'feature' and 'distribution' are missing. Name them in the first line.")
    return {row["feature"].strip(): row["distribution"] for row in table if (row["feature"] or "").strip()}
