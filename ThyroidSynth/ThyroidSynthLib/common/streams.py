"""Standard streams that may be closed while a command works, as in ``thyroidsynth train … | head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO


class LastingStream:
    """A text stream that drops its text, instead of raising, from the first time that this cannot be written.

    Parameters
    ----------
    stream : TextIO, optional
        The stream that is written to; None if there was none from the start.

    Attributes
    ----------
    lost : bool
        Whether text was dropped.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None else Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        self._missing = stream is None
        self.lost = False

    def write(self, text: str) -> int:
        """Write text, or drop it if that is impossible."""
        try:
            self._stream.write(text)
        except OSError:
            self._drop()
        self.lost |= self._missing
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what cannot be written."""
        try:
            self._stream.flush()
        except OSError:
            self._drop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self) -> None:
        self.lost = True
        # The stream keeps what it could not write, and would try again when Python ends.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


@contextmanager
def lasting_streams() -> Iterator[LastingStream]:
    """Let a command go on when the reader of its standard output or standard error is gone.

    Yields
    ------
    LastingStream
        The standard output, to ask at the end whether all of it was delivered.
    """
    output, errors = LastingStream(sys.stdout), LastingStream(sys.stderr)
    with redirect_stdout(output), redirect_stderr(errors):  # type: ignore[type-var]
        try:
            yield output
        finally:
            output.flush()
            errors.flush()
