"""The manifest of a generated cohort, complete and readable after every thyroid that is added."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from io import RawIOBase
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import write_text
from ThyroidSynthLib.generation.cohort.achieved_distribution import DISTRIBUTION_FILES

MANIFEST_JSON = "manifest.json"
MANIFEST_CSV = "manifest.csv"
MERGED_NAMES = "merged_labels.csv"

THYROIDS = "thyroids"
"""The key of the members of a generated cohort."""


class ManifestWriter:
    """Writes `manifest.json` and `manifest.csv` one thyroid at a time, without keeping any in memory.

    An entry and the end of the JSON document are written in one call that makes the file longer, so the
    document is valid whenever the process ends; ``"complete"`` says whether all thyroids are in it.

    Use it as a context manager.

    Parameters
    ----------
    head : mapping
        The keys of the document before the thyroids.
    begun : sequence of (entry, row)
        Thyroids of an interrupted run, which are in the manifest from the start.
    members : str
        The key of the list of thyroids, or of phantoms.
    """

    def __init__(
        self,
        folder: Path,
        head: Mapping[str, Any],
        columns: Sequence[str],
        begun: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]] = (),
        *,
        members: str = THYROIDS,
    ) -> None:
        self._columns = list(columns)
        self._count = len(begun)
        opening = json.dumps(dict(head), indent=2, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
        opening += f',\n  "{members}": [' + ",".join("\n    " + _dumps(entry) for entry, _ in begun)
        rows = "".join(_line(row[column] for column in self._columns) for _, row in begun)
        write_text(folder / MANIFEST_JSON, opening + self._ending(complete=False))
        write_text(folder / MANIFEST_CSV, _line(self._columns) + rows)
        self._end = len(_encoded(opening))
        # Unbuffered: each write is one system call, which a killed process has made or has not.
        self._json = (folder / MANIFEST_JSON).open("r+b", buffering=0)
        self._csv = (folder / MANIFEST_CSV).open("ab", buffering=0)

    def add(self, entry: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Add a thyroid: its JSON entry, and its row in the table. On a full disk the manifest stays as it was."""
        text = ("," if self._count else "") + "\n    " + _dumps(entry)
        before = self._ending(complete=False)
        self._count += 1
        try:
            _write(self._json, self._end, text + self._ending(complete=False))
            _write(self._csv, self._csv.seek(0, io.SEEK_END), _line(row[column] for column in self._columns))
        except OSError:
            # In place of what was there, so that it needs no new room.
            _write(self._json, self._end, before)
            raise
        self._end += len(_encoded(text))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the manifest as complete, with a summary of the cohort by key."""
        _write(self._json, self._end, self._ending(complete=True, summary=summary))
        os.fsync(self._json.fileno())
        os.fsync(self._csv.fileno())

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._json.close()
        self._csv.close()

    def _ending(self, *, complete: bool, summary: Mapping[str, Any] | None = None) -> str:
        lines = "".join(f"\n  {json.dumps(key)}: {_dumps(value)}," for key, value in (summary or {}).items())
        # Both values have the same width, so that the file never has to shrink.
        return f'\n  ],{lines}\n  "count": {self._count},\n  "complete": {"true " if complete else "false"}\n}}\n'


def _encoded(text: str) -> bytes:
    """Return text as UTF-8; bytes of file names that are not UTF-8 are escaped as in `write_text`."""
    return text.encode(errors="backslashreplace")


def _write(stream: RawIOBase, at: int, text: str) -> None:
    """Write text at the end of an unbuffered file; if the disk is full, the file ends where it was to begin."""
    data = memoryview(_encoded(text))
    stream.seek(at)
    try:
        while data:
            data = data[stream.write(data) or 0 :]
    except OSError:
        stream.truncate(at)
        raise
    stream.truncate()


def _line(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(["" if value is None else value for value in values])
    return text.getvalue()


def _dumps(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False)


def listed_files(manifest: Mapping[str, Any], members: str = THYROIDS) -> list[str]:
    """Return the names of all files of a generated cohort but `manifest.json`, relative to its folder.

    `OutputError` if the manifest does not list its files.
    """
    try:
        files = [file["path"] for entry in manifest[members] for file in entry["files"]]
        merged = [MERGED_NAMES] if any(entry.get("merged") for entry in manifest[members]) else []
        begun = [str(name) for name in manifest.get("files", ())]
    except (KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"{MANIFEST_JSON} lists no {members} ({error!r}). Choose another --out.") from error
    return [*files, MANIFEST_CSV, *merged, *begun, *(DISTRIBUTION_FILES if manifest.get("distribution") else ())]
