"""Parallel tasks in worker processes; one that crashes fails only its own task."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any, TypeVar

from .progress import ShouldStop, check, never

Task = TypeVar("Task")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class WorkerFailure:
    """The result of a task whose worker process ended unexpectedly (out of memory, a crash)."""


def usable_workers(requested: int | None = None) -> int:
    """Return the number of worker processes: as requested, or one for each available core.

    It is 1 in an application that embeds Python, which has no interpreter to start.
    """
    if not Path(sys.executable or "").stem.lower().startswith("python"):
        return 1
    if requested is not None:
        return max(1, requested)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """A set of worker processes; with `count` 1 the tasks run in this process.

    Use as a context manager. Processes are started anew rather than forked, because a fork of a process with threads
    (PyTorch, Qt) may hang. `concurrent.futures` alone fails all tasks when one worker crashes.

    Parameters
    ----------
    initializer : callable, optional
        Called once in each worker process before its first task: a module's function, or a `functools.partial` of one
        with the data that all tasks share.
    """

    def __init__(self, count: int, *, initializer: Callable[[], None] | None = None) -> None:
        self.count = count
        self._initializer = initializer
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_pool()

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        should_stop: ShouldStop = never,
    ) -> Iterator[tuple[Task, Result | WorkerFailure]]:
        """Apply a module's function to each task, and yield tasks and results as they are finished, in any order.

        Tasks are taken only as the workers need them, so memory does not grow with their number. `Cancelled` is raised
        once tasks in progress have ended.
        """
        if self.count == 1:
            for task in tasks:
                check(should_stop)
                yield task, function(task)
            check(should_stop)
            return
        waiting = iter(tasks)
        running: dict[Future, Task] = {}
        while True:
            check(should_stop)
            try:
                self._fill(running, function, waiting)
            except BrokenProcessPool:
                yield from self._one_by_one(function, running, should_stop)
                continue
            if not running:
                return
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
                yield from self._one_by_one(function, running, should_stop)
                continue
            for future in done:
                yield running.pop(future), future.result()

    def _fill(self, running: dict[Future, Any], function: Callable, waiting: Iterator) -> None:
        if self._pool is None:
            self._pool = _new_pool(self.count, self._initializer)
        for task in islice(waiting, 2 * self.count - len(running)):
            # Noted before it is submitted, so that it is not lost if the pool is broken.
            unsent: Future = Future()
            running[unsent] = task
            future = self._pool.submit(function, task)
            del running[unsent]
            running[future] = task

    def _one_by_one(
        self, function: Callable, running: dict[Future, Any], should_stop: ShouldStop
    ) -> Iterator[tuple[Any, Any]]:
        """Run each task in a process of its own after a worker has crashed, to find the task that crashed it."""
        suspects = list(running.values())
        running.clear()
        self._end_pool()
        for task in suspects:
            check(should_stop)
            with _new_pool(1, self._initializer) as alone:
                try:
                    yield task, alone.submit(function, task).result()
                except BrokenProcessPool:
                    _log.warning("A worker process ended unexpectedly in task %r.", task)
                    yield task, WorkerFailure()

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _new_pool(count: int, initializer: Callable[[], None] | None) -> ProcessPoolExecutor:
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_prepare_worker, initargs=(initializer,))


def _prepare_worker(initializer: Callable[[], None] | None) -> None:
    """Leave Ctrl-C to the parent, end when it ends, and use one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        _be_killed_with(parent.sentinel)
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    use_one_core()
    if initializer is not None:
        initializer()


def use_one_core() -> None:
    """Keep this process's libraries from starting threads, because there is a worker for each core."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _end_with(parent: int) -> None:
    """End this process when the pipe from its parent closes, even by a kill."""
    wait_for([parent])
    os._exit(1)


def _be_killed_with(parent: int) -> None:
    """Let Linux end this process when the pipe from its parent closes.

    The thread of `_end_with` has to wait while a long call of a library holds Python's interpreter lock.
    """
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(parent, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(parent, fcntl.F_SETFL, fcntl.fcntl(parent, fcntl.F_GETFL) | os.O_ASYNC)
