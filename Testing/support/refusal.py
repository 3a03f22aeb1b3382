"""Checks how a bad input is refused: at once, with little memory, and with a message that says what to do."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from ThyroidSynthLib.common.errors import InputError

MOST_BYTES = 30 << 20
MOST_SECONDS = 10.0
# What a message must end with: what the user can do.
REMEDY = re.compile(r"(Export|Copy|Save|Choose|Crop|Check|Close|Threshold|Restore|State)[^.]*( as|\.| it)")


def refused(read: Callable[[Path], object], path: Path) -> str:
    """Return the message with which a file is refused; fail unless it is complete and comes at once."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(InputError) as caught:
            read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert path.name in message
    assert REMEDY.search(message), message
    assert not re.search(r"\b[A-Z][A-Za-z]*(Error|Exception)\b", message), message
    assert peak < MOST_BYTES
    assert time.perf_counter() - began < MOST_SECONDS
    return message
