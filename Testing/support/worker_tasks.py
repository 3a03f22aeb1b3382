"""Functions for worker processes, which find them by name in a module of their own."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError


def double_or_die(number: int) -> int:
    """Double a number; 13 ends the process, as running out of memory would."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def write_pid_and_stay(path: str) -> None:
    """Write the process id to a file and stay for a minute."""
    Path(path).write_text(str(os.getpid()), encoding="ascii")
    time.sleep(60)


def write_pid_and_hold_the_interpreter(path: str) -> None:
    """Write the process id to a file, and stay for a minute in a call during which no other thread runs."""
    Path(path).write_text(str(os.getpid()), encoding="ascii")
    ctypes.PyDLL(None).sleep(60)


def note_and_double(task: tuple[str, int]) -> int:
    """Add a line to a file and double a number; without a file it fails."""
    path, number = task
    if not path:
        raise InputError("The fault of the step itself.")
    with Path(path).open("a", encoding="ascii") as stream:
        stream.write("done\n")
    time.sleep(0.02)
    return 2 * number
