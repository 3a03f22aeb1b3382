"""Progress and cancellation of long operations."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Cancelled

ProgressCallback = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and a short text for the user."""

ShouldStop = Callable[[], bool]
"""Called between steps; returns True once the user has cancelled the operation."""


def silent(fraction: float, message: str) -> None:
    """Ignore progress."""


def never() -> bool:
    """Return False, so that an operation is not cancelled."""
    return False


def check(should_stop: ShouldStop) -> None:
    """Raise `Cancelled` if the user has cancelled the operation."""
    if should_stop():
        raise Cancelled("Stopped at the user's request.")


def part_of(progress: ProgressCallback, start: float, end: float) -> ProgressCallback:
    """Return a callback that reports a step's progress as the part from `start` to `end` of the whole."""

    def report(fraction: float, message: str) -> None:
        progress(start + (end - start) * fraction, message)

    return report


@contextmanager
def stop_on_signals() -> Iterator[ShouldStop]:
    """Yield a `should_stop` that the first Ctrl-C, SIGTERM or SIGHUP makes true; the second one ends the process.

    SIGHUP, which a closed terminal sends, stays ignored under ``nohup``. Usable in the main thread only.
    """
    stopped = False

    def handle(number: int, frame: object) -> None:
        nonlocal stopped
        if stopped:
            restore()
            signal.raise_signal(number)
        stopped = True

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none.
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        before[hang_up] = signal.getsignal(hang_up)
    for number in before:
        signal.signal(number, handle)
    try:
        yield lambda: stopped
    finally:
        restore()
