"""Progress on standard error, results on standard output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

_SECONDS_BETWEEN_LINES = 15.0


@dataclass(frozen=True)
class Result:
    """The result of a command."""

    document: dict[str, Any]  # printed with --json
    text: str  # printed otherwise
    failed: bool = False  # whether a part failed although the rest succeeded


class Console:
    """Progress bar, notes and warnings of a command, only the warnings if `quiet`. Closes the bar at its end."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def note(self, text: str) -> None:
        """Print a note before the result."""
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning, also if quiet: it says what is doubtful about the result."""
        print(f"thyroidsynth: warning: {text}", file=sys.stderr, flush=True)

    def progress(self, fraction: float, message: str) -> None:
        """Show the fraction done, 0 to 1, and the current step."""
        if self._quiet:
            return
        if self._bar is None:
            from tqdm import tqdm

            # In a log file each update is a new line.
            interval = 0.2 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES
            form = "{percentage:3.0f}% |{bar:24}| {elapsed}<{remaining}  {desc}"
            self._bar = tqdm(total=1.0, file=sys.stderr, bar_format=form, mininterval=interval, dynamic_ncols=True)
        self._bar.set_description_str(message, refresh=False)
        self._bar.update(max(fraction - self._bar.n, 0.0))


def warn_of_unknown_gland(console: Console, case_id: str, score: float) -> None:
    """Warn if the out-of-distribution score of a case's gland is above 1."""
    if score > 1:
        console.warn(
            f"{case_id}: the model may not know such glands (out-of-distribution score {score:.2f}, up to 1 is "
            "ordinary); its notes say why."
        )
