"""Standard streams that may be closed while a command runs, as in ``thyroidsynth train … | head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO


class LastingStream:
    """A text stream that discards text instead of raising once it cannot be written; `lost` then becomes true."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None else Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        self._missing = stream is None
        self.lost = False

    def write(self, text: str) -> int:
        """Write text, or discard it if it cannot be written."""
        try:
            self._stream.write(self._encodable(text))
        except OSError:
            self._discard()
        self.lost |= self._missing
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or discard what cannot be written."""
        try:
            self._stream.flush()
        except OSError:
            self._discard()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _encodable(self, text: str) -> str:
        """Return text with a backslash sequence for each character that the stream cannot encode, as "²" in ASCII."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)

    def _discard(self) -> None:
        self.lost = True
        # The stream keeps the text and would try to write it again when Python exits.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


@contextmanager
def lasting_streams() -> Iterator[LastingStream]:
    """Let a command continue when the reader of its standard output or standard error has closed it.

    Yields the standard output, whose `lost` is to be checked at the end.
    """
    _open_missing_descriptors()
    output, errors = LastingStream(sys.stdout), LastingStream(sys.stderr)
    with redirect_stdout(output), redirect_stderr(errors):  # type: ignore[type-var]  # Only write and flush are used.
        try:
            yield output
        finally:
            output.flush()
            errors.flush()


def _open_missing_descriptors() -> None:
    """Open the null device for each standard descriptor that is closed, so that no other file takes its place."""
    number = 0
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
