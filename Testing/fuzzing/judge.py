"""Runs a trial in a process of its own, with limits, and classifies what the user would see and lose."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLASSES = ("clear", "allowed", "traceback", "bare", "unclear", "accepted", "memory", "time", "crash", "changed")
GOOD = ("clear", "allowed")
"""Refused with file, fault and remedy; or accepted, where the change leaves a file that can be read."""

LONGEST_MESSAGE = 2500
MEMORY_BYTES = 2 << 30
TIME_S = 30.0

Action = Callable[[], tuple[bool, str]]
"""Run what is tried; return whether it was refused, and all that was printed or raised as a message."""


@dataclass(frozen=True)
class Trial:
    """One bad input.

    Attributes
    ----------
    command : str
        The command or the entry point of the library.
    fault : str
        What is bad about the input.
    names : tuple of str
        The message must have one of them: the file, or the option.
    make : callable
        Write the input to a folder and return the action.
    acceptable : bool
        Whether the input may be read after all, as with a flipped bit in a field that nobody needs.
    printed : bool
        Whether what is printed is part of the message; a reader may also log.
    """

    command: str
    fault: str
    names: tuple[str, ...]
    make: Callable[[Path, Path], Action] = field(repr=False)
    acceptable: bool = False
    printed: bool = True


@dataclass(frozen=True)
class Outcome:
    """The class of a trial's result, and the text from which it was judged."""

    trial: Trial
    kind: str
    text: str
    seconds: float = 0.0


def run_trials(
    trials: Iterable[Trial], folder: Path, *, at_once: int = 2, until: float = float("inf")
) -> Iterator[Outcome]:
    """Run trials in forked processes and yield their outcomes; no trial begins after the monotonic time `until`."""
    waiting = iter(trials)
    running: dict[int, tuple[Trial, Path, float]] = {}
    own = _resident_bytes()
    number, more = 0, True
    try:
        while more or running:
            while more and len(running) < at_once:
                trial = next(waiting, None) if time.monotonic() < until else None
                if trial is None:
                    more = False
                    break
                place = folder / f"trial{number}"
                place.mkdir()
                number += 1
                sys.stdout.flush()
                process = os.fork()
                if process == 0:
                    _child(trial, place)
                running[process] = (trial, place, time.monotonic())
            yield from _ended(running, own)
    finally:
        for process in running:
            os.killpg(process, signal.SIGKILL)


def _ended(running: dict[int, tuple[Trial, Path, float]], own: int) -> Iterator[Outcome]:
    time.sleep(0.003)
    for process, (trial, place, started) in list(running.items()):
        seconds = time.monotonic() - started
        found, status, usage = os.wait4(process, os.WNOHANG)
        late = not found and seconds > TIME_S
        if late:
            os.killpg(process, signal.SIGKILL)
            _, status, usage = os.wait4(process, 0)
        if found or late:
            del running[process]
            peak = 1024 * usage.ru_maxrss - own
            yield _outcome(trial, place, status, peak, seconds, late=late)
            # Folders without permissions are part of some trials.
            shutil.rmtree(place, ignore_errors=True)


def _outcome(trial: Trial, place: Path, status: int, peak: int, seconds: float, *, late: bool) -> Outcome:
    try:
        found = json.loads((place / "result.json").read_text())
    except (OSError, ValueError):
        found = None
    if late or seconds > TIME_S:
        kind, text = "time", f"{seconds:.0f} s"
    elif found is None:
        printed = (place / "printed.txt").read_text(errors="replace") if (place / "printed.txt").exists() else ""
        kind, text = "crash", f"status {status}: {printed[-2000:]}"
    else:
        text = found["text"]
        kind = "memory" if peak > MEMORY_BYTES or found["memory"] else _kind(trial, found)
    return Outcome(trial, kind, text, seconds)


def _kind(trial: Trial, found: dict[str, Any]) -> str:
    text = found["text"]
    if found["changed"]:
        return "changed"
    if found["trace"] or "Traceback" in text:
        return "traceback"
    if not found["refused"]:
        return "allowed" if trial.acceptable else "accepted"
    if BARE.search(_without_paths(text)):
        return "bare"
    plain = text.casefold()
    named = any(name.casefold() in plain for name in trial.names)
    short = len(_without_paths(text)) < LONGEST_MESSAGE or "verdict," in text
    return "clear" if named and short and REMEDY.search(text) else "unclear"


# Names and words of Python that mean nothing to a user.
BARE = re.compile(
    r"\b[A-Za-z]+(Error|Exception)\b|invalid \w+ value|--debug for the traceback|<class '|object has no attribute"
    r"|NoneType|subscriptable|indices must be|Errno|could not convert|invalid literal for|unpack|codec can't"
    r"|KeyError|StopIteration|\bstruct\.|itk::|fault of ThyroidSynth"
)
REMEDY = re.compile(
    r"\b(Check|Choose|Give|Write|Export|Copy|Train|Prepare|Restore|Use|Make|Move|Name|Add|Remove|Leave|Free|Convert|Save"
    r"|Segment|Generate|Evaluate|Cross-validate|Restart|Resume|Create|Update|Threshold|Enter|Install|Set|Select|Load"
    r"|Fit|Edit|Correct|Repair|Put|Keep|Close|Open|Run|Start|Wait|Decimate|Resample|Hold|Crop|Compare|State|See|include|give|choose|use|write|leave"
    r"|must|expected|required|needs?|exclude each other|not allowed with|only once|unrecognized)\b"
)


def _without_paths(text: str) -> str:
    return re.sub(r"/\S+", "", text)


def _child(trial: Trial, place: Path) -> None:
    """Make and run a trial, write its result, and end this process."""
    try:
        os.setsid()
        printed = os.open(place / "printed.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        given, out = place / "given", place / "out"
        given.mkdir()
        action = trial.make(given, out)
        # What is written to the working folder by mistake counts as a change.
        (given / "working folder").mkdir()
        os.chdir(given / "working folder")
        before = fingerprint(given)
        # Address space, because touched memory cannot be limited; libraries reserve some that they never touch.
        limit = _address_space_bytes() + 2 * MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        trace, memory = False, False
        try:
            refused, text = action()
        except MemoryError:
            refused, text, memory = True, "MemoryError", True
        except BaseException:
            refused, text, trace = True, traceback.format_exc(), True
        sys.stdout.flush()
        sys.stderr.flush()
        if trial.printed:
            text = (place / "printed.txt").read_text(errors="replace") + text
        memory |= "not enough memory" in text
        result = {
            "refused": refused,
            "text": text[:3000] + text[-3000:] if len(text) > 6000 else text,
            "trace": trace,
            "memory": memory,
            "changed": fingerprint(given) != before,
        }
        (place / "result.json").write_text(json.dumps(result))
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(0)


def fingerprint(folder: Path) -> dict[str, str]:
    """Return what lies in a folder: checksums of files, and the kind of everything else."""
    found = {}
    for root, folders, files in os.walk(os.fsencode(folder)):
        for name in (*folders, *files):
            path = os.path.join(root, name)  # noqa: PTH118 names may be no text
            status = os.lstat(path)
            about = f"{status.st_mode} {status.st_size}"
            if os.path.isfile(path) and not os.path.islink(path) and status.st_size < 1 << 26:  # noqa: PTH113 PTH114
                with open(path, "rb") as stream:  # noqa: PTH123
                    about += hashlib.sha1(stream.read()).hexdigest()
            found[os.fsdecode(path).encode("utf-8", "backslashreplace").decode()] = about
    return found


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _address_space_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
