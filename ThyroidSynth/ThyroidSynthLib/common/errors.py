"""The errors that a user may see.

A message names the file, the fault and the remedy, because it is shown unchanged in a dialog of Slicer or on the
terminal.
"""

from __future__ import annotations

import errno
import os
import re
import traceback
from pathlib import Path

ISSUES = "https://github.com/ThyroidSynth/SlicerThyroidSynth/issues"
"""Where users report faults."""

_OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory|bad_alloc", re.IGNORECASE)
_LESS_MEMORY = "Use larger voxels, a smaller image or fewer worker processes, or close other programs."
_REMEDIES = {
    errno.ENOSPC: "Free space on the disk, or choose a folder on another one.",
    errno.EDQUOT: "Free space on the disk, or choose a folder on another one.",
    errno.EMFILE: "Use fewer worker processes, or raise the limit on open files (ulimit -n).",
    errno.ENFILE: "Close other programs, or use fewer worker processes.",
    errno.EROFS: "Choose a writable folder.",
    errno.EACCES: "Change its permissions, or choose another path.",
    errno.EPERM: "Change its permissions, or choose another path.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "Remove the link that leads to itself.",
    errno.ENOMEM: _LESS_MEMORY,
}


class ThyroidSynthError(Exception):
    """Base class of errors that the user can understand and fix."""


class InputError(ThyroidSynthError):
    """A file, folder or option cannot be used."""


class NoCaseError(InputError):
    """There is no case at a path.

    `ways` are the options that may turn it into one: "labels", "masks" and "meshes". Not every command has them.
    """

    def __init__(self, message: str, *, ways: tuple[str, ...] = ("labels", "masks", "meshes")) -> None:
        super().__init__(message)
        self.ways = ways


class OutputError(ThyroidSynthError):
    """A result cannot be written, or would replace a file without permission."""


class CohortError(ThyroidSynthError):
    """A cohort folder is missing, damaged or unsuitable."""


class ModelError(ThyroidSynthError):
    """A model file is missing, damaged or unsuitable."""


class SynthesisError(ThyroidSynthError):
    """A latent code has no valid surface, or targets cannot be reached."""


class JobError(ThyroidSynthError):
    """A training job cannot be started, found or stopped."""


class Cancelled(ThyroidSynthError):
    """The user cancelled the operation. No incomplete files are left."""


def explained(
    error: BaseException, report: str = "Run the command again with --debug and report what it prints"
) -> str:
    """Return the message of an error for the user, also of one that no code foresaw, without the names of classes.

    An unforeseen one is said to be a fault of ThyroidSynth; `report` says how to report it. The file is named that was
    in use.
    """
    if isinstance(error, ThyroidSynthError):
        return str(error)
    text = " ".join(str(error).split())
    used = _path_in_use(error)
    about = f" while {used} was in use" if used else ""
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(text):
        return f"The memory of this computer does not suffice{about}. {_LESS_MEMORY}"
    if isinstance(error, RecursionError):
        return f"{used or 'A file'} is nested too deeply to be read. Restore it or create it again."
    if isinstance(error, OSError) and error.errno is not None:
        remedy = _REMEDIES.get(error.errno, "Check the path, its permissions and the disk.")
        return f"{used or 'A file'} cannot be read or written: {error.strerror}. {remedy}"
    # The text of these is only a name or a value.
    fault = "" if isinstance(error, (KeyError, IndexError, AssertionError, StopIteration)) or not text else f": {text}"
    return (
        f"ThyroidSynth failed unexpectedly{about} ({_place(error)}){fault}. This is a fault of ThyroidSynth, not of "
        f"yours. {report} at {ISSUES}."
    )


def _path_in_use(error: BaseException) -> str:
    """Return the file of an `OSError`, or the path that the innermost function of this library worked on."""
    named = getattr(error, "filename", None)
    if named is not None:
        return os.fsdecode(named) if isinstance(named, (str, bytes)) else str(named)
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__", "").startswith("ThyroidSynthLib"):
            values = (frame.f_locals.get(name) for name in ("path", "file", "folder", "source"))
            found = next((value for value in values if isinstance(value, Path)), None)
            if found is not None:
                return str(found)
    return ""


def _place(error: BaseException) -> str:
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [each for each in frames if each[0].f_globals.get("__name__", "").startswith("ThyroidSynthLib")]
    if not own:
        return "outside its own code"
    frame, line = own[-1]
    return f"{Path(frame.f_code.co_filename).name}, line {line}"
