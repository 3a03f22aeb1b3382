"""Ctrl-C and SIGTERM as a wish to stop, so that a training ends with its checkpoint written."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from .progress import ShouldStop


@contextmanager
def stop_on_signals() -> Iterator[ShouldStop]:
    """Give a `StopRequested` that the first Ctrl-C or SIGTERM makes true; the second ends at once.

    Only the main thread may use it.
    """
    targets = False

    def ask(number: int, frame: object) -> None:
        nonlocal targets
        if targets:
            restore()
            signal.raise_signal(number)
        targets = True

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: targets
    finally:
        restore()
