"""What a module holds of the application, to compare before it is opened and after it is gone."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass

import shiboken6
from PySide6 import QtCore

from .strictness import child_processes, observer_count


@dataclass(frozen=True)
class Held:
    """Counts and names at one moment.

    Attributes
    ----------
    observers : dict of str to int
        Observers of the scene and of each of its nodes, by name.
    timers : dict of int to str
        Running timers that Python knows of, by their identity, with their interval.
    processes : frozenset of int
        Running child processes.
    threads : frozenset of str
        Threads of Python.
    """

    observers: dict[str, int]
    timers: dict[int, str]
    processes: frozenset[int]
    threads: frozenset[str]

    def leaks_since(self, before: Held) -> list[str]:
        """Return what is held now and was not before; nodes added since do not count."""
        found = [
            f"{name}: {self.observers[name]} observers, {count} before"
            for name, count in before.observers.items()
            if self.observers.get(name, 0) > count
        ]
        found += [f"timer of {text} ms runs" for key, text in self.timers.items() if key not in before.timers]
        found += [f"process {each} runs" for each in sorted(self.processes - before.processes)]
        found += [f"thread {each} runs" for each in sorted(self.threads - before.threads)]
        return found


def held(scene) -> Held:
    """Look at what is held now."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    observers = {f"{node.GetName()} ({node.GetID()})": observer_count(node) for node in nodes}
    gc.collect()
    timers = {
        id(each): str(QtCore.QTimer.interval(each))
        for each in gc.get_objects()
        if issubclass(type(each), QtCore.QTimer) and shiboken6.isValid(each) and QtCore.QTimer.isActive(each)
    }
    threads = frozenset(each.name for each in threading.enumerate())
    return Held({"scene": observer_count(scene), **observers}, timers, frozenset(child_processes()), threads)
