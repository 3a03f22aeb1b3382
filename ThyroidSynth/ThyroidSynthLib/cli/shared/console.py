"""Progress on the standard error, results on the standard output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

_SECONDS_BETWEEN_LINES = 15.0


@dataclass(frozen=True)
class Result:
    """What a command gives back.

    Attributes
    ----------
    document : dict
        For ``--json``.
    text : str
        For people.
    failed : bool
        Whether part of what was asked for failed, although the rest was done.
    """

    document: dict[str, Any]
    text: str
    failed: bool = False


class Console:
    """Shows how far a command is. A context: the progress bar ends with it.

    Parameters
    ----------
    json_wanted : bool
        Whether the result is read by a program.
    quiet : bool
        Show no progress.
    """

    def __init__(self, *, json_wanted: bool, quiet: bool) -> None:
        self.json_wanted = json_wanted
        self._quiet = quiet
        self._bar: Any = None

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def note(self, text: str) -> None:
        """Say something before the result is there."""
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def progress(self, fraction: float, message: str) -> None:
        """Show the share done, 0 to 1, and what is being done."""
        if self._quiet:
            return
        if self._bar is None:
            from tqdm import tqdm

            # In a log file a bar is a line each time; there a few are enough.
            interval = 0.2 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES
            form = "{percentage:3.0f}% |{bar:24}| {elapsed}<{remaining}  {desc}"
            self._bar = tqdm(total=1.0, file=sys.stderr, bar_format=form, mininterval=interval, dynamic_ncols=True)
        self._bar.set_description_str(message, refresh=False)
        self._bar.update(max(fraction - self._bar.n, 0.0))
