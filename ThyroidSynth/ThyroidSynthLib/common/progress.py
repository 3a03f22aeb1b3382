"""One way to say how far a long operation is, and one way to ask it to stop."""

from __future__ import annotations

from collections.abc import Callable

from .errors import Cancelled

ProgressCallback = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and a short text for the user."""

ShouldStop = Callable[[], bool]
"""Asked between steps; true once the user wants the operation to end."""


def silent(fraction: float, message: str) -> None:
    """Report progress to nobody."""


def never() -> bool:
    """Never ask to stop."""
    return False


def check(should_stop: ShouldStop) -> None:
    """Raise `Cancelled` when the user has asked to stop."""
    if should_stop():
        raise Cancelled("Stopped at the user's request.")


def part_of(progress: ProgressCallback, start: float, end: float) -> ProgressCallback:
    """Give a step the stretch from `start` to `end` of a longer operation's progress."""

    def report(fraction: float, message: str) -> None:
        progress(start + (end - start) * fraction, message)

    return report
