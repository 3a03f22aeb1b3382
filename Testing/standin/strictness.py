"""Collects everything that would go wrong unseen in the application, so that a test can fail on it.

Slicer prints a traceback and carries on when a slot or an observer raises, when VTK reports an error
or when Qt warns. Here each of these is a *fault*, and a test with an unexpected fault fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HARMLESS_QT_MESSAGES = (
    "This plugin does not support propagateSizeHints()",
    "This plugin does not support raise()",
    "This plugin does not support grabbing the keyboard",
)
# What Slicer itself reports when it loads any scene with an oblique slice view.
HARMLESS_VTK_ERRORS = ("GetSliceOrientationPreset: invalid orientation preset name: Reformat",)


@dataclass(frozen=True)
class Fault:
    """One thing that went wrong: where it was seen and its text."""

    source: str
    text: str

    def __str__(self) -> str:
        return f"[{self.source}] {self.text}"


class Faults:
    """The faults since the last :meth:`clear`."""

    def __init__(self) -> None:
        self._seen: list[Fault] = []

    def add(self, source: str, text: str) -> None:
        """Record a fault that was seen in ``source``."""
        self._seen.append(Fault(source, text))

    def add_exception(self, source: str, error: BaseException) -> None:
        """Record an exception with its traceback."""
        self.add(source, "".join(traceback.format_exception(error)).rstrip())

    def clear(self) -> None:
        """Forget all faults."""
        self._seen.clear()

    def take(self) -> list[Fault]:
        """Return the faults and forget them."""
        seen, self._seen = self._seen, []
        return seen

    @property
    def seen(self) -> tuple[Fault, ...]:
        """The faults so far."""
        return tuple(self._seen)

    @contextlib.contextmanager
    def expected(self, pattern: str) -> Iterator[None]:
        """Demand at least one fault that matches ``pattern`` and let exactly those pass.

        Parameters
        ----------
        pattern : str
            Regular expression searched in ``"[source] text"``.

        Raises
        ------
        AssertionError
            If the block ends without such a fault.
        """
        before, self._seen = self._seen, []
        try:
            yield
        finally:
            during = self._seen
            matching = [fault for fault in during if re.search(pattern, str(fault))]
            self._seen = before + [fault for fault in during if fault not in matching]
        if not matching:
            others = "\n".join(map(str, during)) or "none at all"
            raise AssertionError(f"Expected a fault like {pattern!r}; seen: {others}")


faults = Faults()
# Faults while the application started.
start_faults: list[Fault] = []


def watch_python() -> None:
    """Turn exceptions that reach the interpreter's hooks (observers, slots, threads) into faults."""

    def on_exception(kind, error, trace) -> None:
        faults.add_exception("sys.excepthook", error)
        sys.__excepthook__(kind, error, trace)

    def on_thread_exception(info) -> None:
        if info.exc_value is not None:
            faults.add_exception(f"thread {info.thread.name if info.thread else '?'}", info.exc_value)

    sys.excepthook = on_exception
    threading.excepthook = on_thread_exception


def watch_qt() -> None:
    """Turn Qt's warnings and errors into faults."""
    from PySide6.QtCore import QtMsgType, qInstallMessageHandler

    def on_message(kind, context, text: str) -> None:
        if kind in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg):
            return
        if not any(harmless in text for harmless in HARMLESS_QT_MESSAGES):
            faults.add("Qt", text)

    qInstallMessageHandler(on_message)


def watch_vtk() -> None:
    """Turn VTK's error events into faults; VTK's warnings stay on the standard error stream."""
    import vtk

    window = vtk.vtkStringOutputWindow()

    def on_error(caller, event, text: str) -> None:
        if not any(harmless in text for harmless in HARMLESS_VTK_ERRORS):
            faults.add("VTK", text.strip())

    def on_warning(caller, event, text: str) -> None:
        print(text, file=sys.stderr)

    on_error.CallDataType = vtk.VTK_STRING
    on_warning.CallDataType = vtk.VTK_STRING
    window.AddObserver(vtk.vtkCommand.ErrorEvent, on_error)
    window.AddObserver(vtk.vtkCommand.WarningEvent, on_warning)
    vtk.vtkOutputWindow.SetInstance(window)


def observer_count(vtk_object) -> int:
    """Count the observers of a VTK object, of all events, from Python and from C++."""
    probe = vtk_object.AddObserver("StartEvent", lambda *_: None)
    vtk_object.RemoveObserver(probe)
    return sum(vtk_object.GetCommand(tag) is not None for tag in range(1, probe))


def node_ids(scene) -> set[str]:
    """IDs of all nodes in a scene, to compare before and after (leaked nodes)."""
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def child_processes() -> set[int]:
    """Process ids of the running direct children of this process, to find leaked ones (Linux)."""
    own = str(os.getpid())
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command name stands in brackets and may hold blanks; state and parent follow it.
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            if parent == own and state != "Z":
                found.add(int(status.parent.name))
    return found
