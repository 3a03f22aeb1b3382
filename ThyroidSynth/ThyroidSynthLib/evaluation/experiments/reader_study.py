"""A reader study: thyroids are shown in random order without their names and rated for plausibility.

This is the state of a study without its display. A study is immutable: every step returns a new one, which can be
stored at any time and continued later.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

RATINGS = (1, 2, 3, 4, 5)
"""Ratings from implausible to plausible."""

CONTROL = "patient"
"""Kind of a case that is the patient's own thyroid."""


@dataclass(frozen=True)
class StudyCase:
    """A thyroid to rate."""

    number: int  #: its index in the list with which the study was started
    name: str  #: hidden from the reader until the end
    kind: str  #: how it was made, or `CONTROL`
    features: dict[str, float] = field(default_factory=dict)  #: measured; empty if they are not known
    model: str = ""  #: checksum of its model; empty for a control
    segment: str = ""  #: the segment that contains it
    seed: int | None = None  #: its random seed, if it has one


@dataclass(frozen=True)
class Answer:
    """The answer to a case and the time in which it was shown; rating 0 means not rated yet."""

    rating: int = 0
    comment: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class ReaderStudy:
    """A study in progress."""

    reader: str  #: the person who rates
    seed: int  #: random seed of the order
    cases: tuple[StudyCase, ...]  #: in the order in which they are shown
    answers: tuple[Answer, ...]  #: one for each case
    position: int = 0  #: index of the displayed case
    finished: bool = False  #: whether names and kinds are revealed; answers can no longer be changed

    @classmethod
    def start(cls, cases: Sequence[StudyCase], *, reader: str, seed: int) -> ReaderStudy:
        """Start a study with the cases in random order; the order is reproducible with the seed.

        Raises
        ------
        InputError
            There are fewer than two cases, so the reader would not be blinded.
        """
        if len(cases) < 2:
            raise InputError("A reader study needs at least two thyroids. Generate more, or add the patient's own.")
        order = np.random.default_rng(seed).permutation(len(cases))
        return cls(reader.strip(), int(seed), tuple(cases[i] for i in order), (Answer(),) * len(cases))

    @property
    def case(self) -> StudyCase:
        """The displayed case."""
        return self.cases[self.position]

    @property
    def answer(self) -> Answer:
        """The answer to the displayed case so far."""
        return self.answers[self.position]

    @property
    def rated(self) -> int:
        """Number of cases with a rating."""
        return sum(answer.rating > 0 for answer in self.answers)

    @property
    def complete(self) -> bool:
        """Whether every case has a rating."""
        return self.rated == len(self.cases)

    def answered(self, *, rating: int | None = None, comment: str | None = None, seconds: float = 0.0) -> ReaderStudy:
        """Return a study with a changed answer to the displayed case; `seconds` are added to its time.

        Raises
        ------
        InputError
            The rating is not one of `RATINGS`, or the study is finished.
        """
        if self.finished:
            raise InputError("This study is finished. Start a new one.")
        if rating is not None and rating not in RATINGS:
            raise InputError(f"{rating} is not a rating. Choose one from {RATINGS[0]} to {RATINGS[-1]}.")
        old = self.answer
        new = Answer(
            old.rating if rating is None else int(rating),
            old.comment if comment is None else comment,
            old.seconds + max(seconds, 0.0),
        )
        return replace(self, answers=(*self.answers[: self.position], new, *self.answers[self.position + 1 :]))

    def moved(self, step: int) -> ReaderStudy:
        """Return a study that displays a later case (an earlier one for a negative step), within the list."""
        return replace(self, position=min(max(self.position + step, 0), len(self.cases) - 1))

    def finish(self) -> ReaderStudy:
        """Return the finished study, whose names are revealed."""
        return replace(self, finished=True)

    def rows(self) -> list[dict[str, Any]]:
        """Return the table, one row for each case in the order of display.

        Raises
        ------
        InputError
            The study is not finished, and the table would reveal the names.
        """
        if not self.finished:
            raise InputError("Finish the study first, because its table reveals the names.")
        return [
            {
                "reader": self.reader,
                "order": number,
                "name": case.name,
                "kind": case.kind,
                "rating": answer.rating or "",
                "comment": answer.comment,
                "seconds": round(answer.seconds, 1),
                **{name: _rounded(case.features.get(name)) for name in FEATURE_NAMES},
                "model": case.model,
                "seed": "" if case.seed is None else case.seed,
                "study_seed": self.seed,
            }
            for number, (case, answer) in enumerate(zip(self.cases, self.answers, strict=True), start=1)
        ]

    def means(self) -> dict[str, tuple[float, int]]:
        """Return mean rating and number of rated cases of each kind, the control last."""
        ratings: dict[str, list[int]] = {}
        for case, answer in zip(self.cases, self.answers, strict=True):
            if answer.rating:
                ratings.setdefault(case.kind, []).append(answer.rating)
        kinds = sorted(ratings, key=lambda kind: (kind == CONTROL, kind))
        return {kind: (float(np.mean(ratings[kind])), len(ratings[kind])) for kind in kinds}

    def to_csv(self) -> str:
        """Return the table as CSV text with a header."""
        stream, rows = io.StringIO(), self.rows()
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _not_a_formula(value) for name, value in row.items()})
        return stream.getvalue()

    def to_json(self) -> str:
        """Return the whole study as JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ReaderStudy | None:
        """Read a study from JSON text; return None if the text is not a study."""
        try:
            value = json.loads(text)
            cases = tuple(StudyCase(**each) for each in value.pop("cases"))
            answers = tuple(Answer(**each) for each in value.pop("answers"))
            study = cls(cases=cases, answers=answers, **value)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        valid = len(cases) == len(answers) and 0 <= study.position < len(cases)
        return study if valid else None


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(float(value), 4)


def _not_a_formula(value: Any) -> Any:
    """Escape text that a spreadsheet would interpret as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
