"""A reader study: thyroids are shown in a random order without their names, and rated for plausibility.

Pure book-keeping: what is shown next, what was answered, and the table at the end. Every step gives a new
study, so that one can be kept at any time and goes on where it was.
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
"""From implausible to plausible."""

CONTROL = "patient"
"""Kind of a case that is a patient's own thyroid."""

COLUMNS = (
    *("reader", "order", "name", "kind", "rating", "comment", "seconds"),
    *FEATURE_NAMES,
    *("model", "seed", "study_seed"),
)


@dataclass(frozen=True)
class StudyCase:
    """A thyroid to be rated.

    Attributes
    ----------
    number : int
        Its place in the list the study was started with, by which the caller knows it.
    name : str
        What the reader must not see before the end.
    kind : str
        How it was made, or `CONTROL`.
    features : dict of str to float
        Its measured features; empty where they are not known.
    model : str
        Checksum of the model it comes from; empty for a control.
    segment : str
        Segment that holds it.
    seed : int or None
        Seed it was made from, if it was.
    """

    number: int
    name: str
    kind: str
    features: dict[str, float] = field(default_factory=dict)
    model: str = ""
    segment: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class Answer:
    """What the reader said of a case, and how long it was looked at; rating 0 is none yet."""

    rating: int = 0
    comment: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class ReaderStudy:
    """A study on its way.

    Attributes
    ----------
    reader : str
        Who rates.
    seed : int
        Seed of the order.
    cases : tuple of StudyCase
        In the order in which they are shown.
    answers : tuple of Answer
        One for each case.
    position : int
        The case that is shown.
    finished : bool
        Whether names and kinds may be seen; nothing can be answered any more.
    """

    reader: str
    seed: int
    cases: tuple[StudyCase, ...]
    answers: tuple[Answer, ...]
    position: int = 0
    finished: bool = False

    @classmethod
    def start(cls, cases: Sequence[StudyCase], *, reader: str, seed: int) -> ReaderStudy:
        """Put cases into a random order: the same cases and seed give the same one.

        Raises
        ------
        InputError
            There are fewer than two cases: nothing would be blinded.
        """
        if len(cases) < 2:
            raise InputError("A reader study needs two thyroids at least. Make more, or add the patient's own.")
        order = np.random.default_rng(seed).permutation(len(cases))
        return cls(reader.strip(), int(seed), tuple(cases[i] for i in order), (Answer(),) * len(cases))

    @property
    def case(self) -> StudyCase:
        """The case that is shown."""
        return self.cases[self.position]

    @property
    def answer(self) -> Answer:
        """What was said of it so far."""
        return self.answers[self.position]

    @property
    def rated(self) -> int:
        """How many cases have a rating."""
        return sum(answer.rating > 0 for answer in self.answers)

    @property
    def complete(self) -> bool:
        """Whether every case has a rating."""
        return self.rated == len(self.cases)

    def answered(self, *, rating: int | None = None, comment: str | None = None, seconds: float = 0.0) -> ReaderStudy:
        """Change the answer to the case that is shown; `seconds` are added to its time.

        Raises
        ------
        InputError
            The rating is none of `RATINGS`, or the study is finished.
        """
        if self.finished:
            raise InputError("This study is finished. Start a new one.")
        if rating is not None and rating not in RATINGS:
            raise InputError(f"{rating} is no rating. Choose one from {RATINGS[0]} to {RATINGS[-1]}.")
        old = self.answer
        new = Answer(
            old.rating if rating is None else int(rating),
            old.comment if comment is None else comment,
            old.seconds + max(seconds, 0.0),
        )
        return replace(self, answers=(*self.answers[: self.position], new, *self.answers[self.position + 1 :]))

    def moved(self, step: int) -> ReaderStudy:
        """Show a later (or, with a negative step, earlier) case; stays within the first and the last."""
        return replace(self, position=min(max(self.position + step, 0), len(self.cases) - 1))

    def finish(self) -> ReaderStudy:
        """End the study: its names may be seen."""
        return replace(self, finished=True)

    def rows(self) -> list[dict[str, Any]]:
        """Give the table, a row for each case in the order shown, by `COLUMNS`; unrated is empty.

        Raises
        ------
        InputError
            The study is not finished: the table would tell the reader what is what.
        """
        if not self.finished:
            raise InputError("Finish the study first: its table tells which thyroid is which.")
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
        """Give the mean rating and the number of rated cases of each kind, the control last."""
        ratings: dict[str, list[int]] = {}
        for case, answer in zip(self.cases, self.answers, strict=True):
            if answer.rating:
                ratings.setdefault(case.kind, []).append(answer.rating)
        kinds = sorted(ratings, key=lambda kind: (kind == CONTROL, kind))
        return {kind: (float(np.mean(ratings[kind])), len(ratings[kind])) for kind in kinds}

    def to_csv(self) -> str:
        """Give the table as text, with a header line."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows():
            writer.writerow({name: _harmless(value) for name, value in row.items()})
        return stream.getvalue()

    def to_json(self) -> str:
        """Give the whole study as text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ReaderStudy | None:
        """Read a study back; None where the text holds none."""
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


def _harmless(value: Any) -> Any:
    """Keep a spreadsheet from taking a name or a comment for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
