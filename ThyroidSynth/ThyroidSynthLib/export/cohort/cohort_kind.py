"""What a cohort consists of: thyroids or phantoms, what is recorded of each, and which files are theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.steer.as_written import Finish
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid


@dataclass(frozen=True)
class WrittenMember:
    """A member of a cohort whose files are written; small, however large its files are.

    Attributes
    ----------
    entry : dict
        Its entry in the manifest, with the paths and checksums of its "files".
    row : dict
        Its row in the table, by column.
    label_names : dict of int to str, optional
        Names of the labels of its merged map.
    """

    entry: dict[str, Any]
    row: dict[str, Any]
    label_names: dict[int, str] | None = None

    @property
    def files(self) -> list[str]:
        """Paths of the files, relative to the folder."""
        return [file["path"] for file in self.entry["files"]]


@dataclass(frozen=True)
class CohortKind:
    """What is recorded of the members of a cohort.

    Attributes
    ----------
    name : str
        The "kind" in the manifest.
    members : str
        The key of their list in the manifest.
    columns : tuple of str
        Of the table.
    row_of : callable
        Returns the row of the table for an entry of the manifest.
    counts_of : callable
        Returns what an entry adds to the numbers of `GeneratedCohort`.
    named_like_it : callable
        Returns the files in a folder that are named like those of members, whoever wrote them.
    documents : tuple of str
        Names of the files about the whole cohort that may be written besides the manifest.
    """

    name: str
    members: str
    columns: tuple[str, ...]
    row_of: Callable[[Mapping[str, Any]], dict[str, Any]]
    counts_of: Callable[[Mapping[str, Any]], dict[str, int]]
    named_like_it: Callable[[Path], Iterable[Path]]
    documents: tuple[str, ...] = ()

    @property
    def one(self) -> str:
        """What a member is called in messages."""
        return self.members.removesuffix("s")


class MemberWriter(Protocol):
    """Writes the files of thyroids, or of phantoms with them, into a folder; can be pickled."""

    @property
    def folder(self) -> Path:
        """Return the folder."""

    @property
    def measure(self) -> Finish:
        """Return what measures thyroids as they will be written."""

    def in_folder(self, folder: Path) -> MemberWriter:
        """Return the same writer for another folder."""

    def write(self, generated: GeneratedThyroid, number: int) -> WrittenMember:
        """Write the files of member `number`, counted from 1; if one cannot be written, none is left."""


def rounded(value: float | None, digits: int = 6) -> str | None:
    """Return a number as the table of a cohort states it."""
    return None if value is None else f"{value:.{digits}g}"
