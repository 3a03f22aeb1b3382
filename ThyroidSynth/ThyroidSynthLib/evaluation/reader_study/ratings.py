"""The ratings of readers: a table for each reader, which is longer by one line after each rating."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import unwritable
from ThyroidSynthLib.common.locks import locked_file
from ThyroidSynthLib.common.text_files import read_text

from .order import Showing
from .plan import StudyPlan

RATINGS = (1, 2, 3, 4, 5)
"""From surely synthetic to surely real."""

COLUMNS = ("reader", "position", "shape", "showing", "rating", "seconds", "time")
"""Columns of a reader's table. `position` counts the showings of the reader from 1; the last line of each counts."""

_HEADER = ",".join(COLUMNS) + "\n"
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Rating:
    """The rating of one showing.

    Attributes
    ----------
    rating : int
        One of `RATINGS`.
    seconds : float
        How long the shape was shown before it was rated.
    time : str
        When it was rated, in ISO 8601 with the time zone UTC.
    """

    rating: int
    seconds: float
    time: str


class RatingSession:
    """A reader's way through a study, from the first showing without a rating on. Close it at the end.

    Attributes
    ----------
    order : tuple of Showing
        What the reader sees.
    ratings : dict of int to Rating
        By index in `order`.
    position : int
        Index in `order` of what is shown; its length when every showing is rated.
    """

    def __init__(self, plan: StudyPlan, reader: str) -> None:
        """Open the reader's table, or create it with the first rating.

        Raises
        ------
        InputError
            The name is not usable, or the table was changed by another program.
        OutputError
            The table is in use by another Slicer, or cannot be written.
        """
        self.reader = checked_reader(reader)
        self.path = ratings_file(plan.folder, self.reader)
        self.order = plan.order_for(reader_key(self.reader))
        self._held = ExitStack()
        self._held.enter_context(locked_file(self.path))
        try:
            if self.path.exists():
                self._drop_partial_line()
            self.ratings = read_ratings(self.path, self.order, self.reader) if self.path.exists() else {}
        except BaseException:
            self.close()
            raise
        self.position = self._first_unrated()

    @property
    def complete(self) -> bool:
        """Whether every showing is rated."""
        return len(self.ratings) == len(self.order)

    @property
    def showing(self) -> Showing | None:
        """What is shown; None when every showing is rated."""
        return self.order[self.position] if self.position < len(self.order) else None

    @property
    def rating(self) -> int:
        """The rating so far of what is shown; 0 without one."""
        found = self.ratings.get(self.position)
        return found.rating if found is not None else 0

    def rate(self, rating: int, seconds: float) -> None:
        """Rate what is shown, write that to the disk, and go on to the first showing without a rating.

        `InputError` for another rating than `RATINGS`; `OutputError` if it cannot be written, and then nothing changes.
        """
        if rating not in RATINGS:
            raise InputError(f"{rating} is not a rating. Choose one from {RATINGS[0]} to {RATINGS[-1]}.")
        showing = self.showing
        if showing is None:
            return
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        new = Rating(int(rating), round(max(seconds, 0.0), 1), now)
        values = (self.reader, self.position + 1, showing.shape, showing.showing, new.rating, new.seconds, new.time)
        self._append(values)
        self.ratings[self.position] = new
        self.position = self._first_unrated()

    def back(self) -> None:
        """Go back to the showing before, to rate it anew."""
        self.position = max(self.position - 1, 0)

    def close(self) -> None:
        """Let others write the table."""
        self._held.close()

    def _first_unrated(self) -> int:
        return next((index for index in range(len(self.order)) if index not in self.ratings), len(self.order))

    def _append(self, values: tuple[object, ...]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(values)
        try:
            # Unbuffered: the line is written by one system call, or not at all.
            with self.path.open("ab", buffering=0) as stream:
                end = stream.seek(0, io.SEEK_END)
                text = (line.getvalue() if end else _HEADER + line.getvalue()).encode()
                try:
                    if stream.write(text) != len(text):
                        raise OSError(28, "No space left on device")
                    os.fsync(stream.fileno())
                except OSError:
                    stream.truncate(end)
                    raise
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _drop_partial_line(self) -> None:
        """Remove the end of a line that was being written when the computer failed."""
        try:
            with self.path.open("r+b") as stream:
                content = stream.read()
                if content and not content.endswith(b"\n"):
                    stream.truncate(content.rfind(b"\n") + 1)
        except OSError as error:
            raise unwritable(self.path, error) from error


def read_ratings(path: Path, order: tuple[Showing, ...], reader: str = "") -> dict[int, Rating]:
    """Read a reader's table; of several ratings of one showing the last one counts.

    Parameters
    ----------
    order : tuple of Showing
        What the reader sees, by which the table is checked.
    reader : str
        Whose ratings they are; anybody's if it is empty.

    Returns
    -------
    dict of int to Rating
        By index in `order`.

    Raises
    ------
    InputError
        The table was written or changed by another program, or is of another study or reader.
    """
    text = read_text(path)
    if text and not text.startswith(_HEADER):
        raise InputError(
            f"{path} has other columns than were written, as after saving it with another program. Restore it from a "
            "copy, or move it to begin again."
        )
    found: dict[int, Rating] = {}
    complete = text[: text.rfind("\n") + 1]
    for number, row in enumerate(_rows(path, complete), start=2):
        try:
            index, rating = int(row["position"]) - 1, int(row["rating"])
            showing = Showing(int(row["shape"]), int(row["showing"]))
            if rating not in RATINGS or not 0 <= index < len(order) or order[index] != showing:
                raise ValueError
            seconds = float(row["seconds"])
            if not math.isfinite(seconds):
                raise ValueError
            if reader and reader_key(row["reader"]) != reader_key(reader):
                raise ValueError
            found[index] = Rating(rating, seconds, row["time"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                f"{path}, line {number}, does not belong to this study and reader. Restore the file from a copy, or "
                "move it to begin again."
            ) from None
    return found


def reader_of(path: Path) -> str:
    """Return whose ratings a table holds, from its first line; empty if it has none."""
    rows = _rows(path, read_text(path))
    return str(rows[0].get("reader") or "") if rows else ""


def _rows(path: Path, text: str) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(text)))
    except csv.Error as error:  # A cell of more than 100,000 characters.
        raise InputError(f"{path} cannot be read as a table ({error}). Restore it from a copy.") from error


def ratings_files(folder: Path) -> list[Path]:
    """Return the tables of all readers of a study, by name."""
    return sorted(folder.glob("ratings-*.csv"))


def ratings_file(folder: Path, reader: str) -> Path:
    """Return the table of a reader; different names never share one."""
    key = reader_key(reader)
    plain = re.sub(r"[^a-z0-9]+", "-", key).strip("-")[:_LONGEST_NAME]
    if plain != key:
        plain = "-".join(filter(None, (plain, hashlib.sha256(key.encode()).hexdigest()[:8])))
    return folder / f"ratings-{plain}.csv"


def reader_key(reader: str) -> str:
    """Return what identifies a reader: the name without regard to case and blanks."""
    return " ".join(reader.split()).casefold()


def checked_reader(reader: str) -> str:
    """Return the name of a reader with single blanks; `InputError` if it is empty or no name."""
    name = " ".join(reader.split())
    # A spreadsheet would take others, such as "=", for the beginning of a formula.
    if not name or not name[0].isalnum() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise InputError(
            f"The reader's name must begin with a letter or a digit and have at most {_LONGEST_NAME} characters. "
            "Enter a name or initials."
        )
    return name
