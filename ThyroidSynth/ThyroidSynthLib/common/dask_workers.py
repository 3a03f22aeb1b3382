"""Parallel tasks on a Dask cluster.

If a worker is lost, Dask runs its task again elsewhere. That is safe because a task writes whole files and has the same
result wherever and however often it runs. All machines must have the same folders under the same paths.

This file needs the package `distributed`; `parallel.workers_for` reports when it is missing.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from distributed import Client, Future, KilledWorker, WorkerPlugin, get_worker

from ThyroidSynthLib import __version__

from .errors import JobError
from .progress import ShouldStop, check, never
from .workers import Result, Task, WorkerFailure, Workers, use_one_core

TIMEOUT_S = 30.0
_COUNT_EVERY_S = 1.0


class DaskWorkers(Workers):
    """The workers of a Dask scheduler, with the behaviour of `Workers`; they may join and leave while tasks run.

    The result of a task that has ended several workers is a `WorkerFailure`. The scheduler is given by its address,
    such as "tcp://10.0.0.1:8786".
    """

    def __init__(self, scheduler: str, *, initializer: Callable[[], None] | None = None) -> None:
        super().__init__(1, initializer=initializer)
        self._scheduler = scheduler
        self._name = f"thyroidsynth-{uuid.uuid4().hex}"
        self._numbers = 0
        self._counted = -_COUNT_EVERY_S

    def __enter__(self) -> DaskWorkers:
        """Connect; `JobError` without a scheduler, without workers or if these have another ThyroidSynth version."""
        try:
            self._client = Client(self._scheduler, timeout=TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise JobError(
                f"No Dask scheduler answers at {self._scheduler} ({error}). Compare the address with the one that it "
                "printed at its start, and check that it can be reached from this machine."
            ) from error
        try:
            self._client.wait_for_workers(1, timeout=TIMEOUT_S)
            # The scheduler also unpickles the tasks; this fails if the library is not installed there.
            self._client.run_on_scheduler(_find_library)
            self._client.register_plugin(_TaskRunner(self._name, self._initializer, __version__), name=self._name)
        except TimeoutError as error:
            self._client.close()
            raise JobError(
                f"The Dask scheduler at {self._scheduler} has no workers. Start workers: dask worker {self._scheduler}"
            ) from error
        except Exception as error:  # Dask raises errors of the cluster with any type.
            self._client.close()
            raise JobError(
                f"The Dask scheduler at {self._scheduler} or one of its workers cannot run the tasks ({error}). "
                f"Install ThyroidSynth {__version__} with its packages for the scheduler and every worker."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        # If the scheduler was lost, there is no plugin to remove.
        with suppress(OSError, KeyError):
            self._client.unregister_worker_plugin(self._name)
        self._client.close()

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        should_stop: ShouldStop = never,
    ) -> Iterator[tuple[Task, Result | WorkerFailure]]:
        """Apply a function to each task, as `Workers.run` does; `JobError` if the scheduler is lost."""
        waiting = iter(tasks)
        running: dict[object, tuple[Future, Task]] = {}
        ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        try:
            while True:
                check(should_stop)
                self._submit(function, waiting, running, ended)
                if not running:
                    return
                try:
                    future = ended.get(timeout=0.2)
                except queue.Empty:
                    continue
                _, task = running.pop(future.key)
                yield task, self._result(future)
        finally:
            _wait_and_cancel([future for future, _ in running.values()])

    def _submit(
        self,
        function: Callable,
        waiting: Iterator,
        running: dict[object, tuple[Future, Any]],
        ended: queue.SimpleQueue[Future],
    ) -> None:
        if time.monotonic() - self._counted > _COUNT_EVERY_S:
            try:
                self.count = max(1, len(self._client.nthreads()))
            except OSError as error:
                raise self._lost() from error
            self._counted = time.monotonic()
        for task in islice(waiting, max(0, 2 * self.count - len(running))):
            self._numbers += 1
            # A unique key, because Dask runs tasks with equal keys once.
            key = f"{self._name}-{self._numbers}"
            future = self._client.submit(_run, self._name, partial(function, task), key=key, pure=False)
            running[key] = future, task
            future.add_done_callback(ended.put)

    def _result(self, future: Future) -> Any:
        if future.status in ("cancelled", "lost"):
            raise self._lost()
        if future.status == "error" and isinstance(future.exception(), KilledWorker):
            return WorkerFailure()
        return future.result()

    def _lost(self) -> JobError:
        return JobError(
            f"The Dask scheduler at {self._scheduler} was lost. Start it and its workers, then repeat the command, "
            "which continues."
        )


def _find_library() -> None:
    """Do nothing; unpickling this function fails if the library is not installed."""


def _run(name: str, task: Callable[[], Any]) -> Any:
    runner = get_worker().plugins[name]
    assert isinstance(runner, _TaskRunner)
    return runner.run(task)


class _TaskRunner(WorkerPlugin):
    """The plugin of one command in each worker, including workers that join later."""

    def __init__(self, name: str, initializer: Callable[[], None] | None, version: str) -> None:
        self.name = name
        self._initializer = initializer
        self._version = version

    def setup(self, worker: Any) -> None:
        if self._version != __version__:
            raise JobError(f"it has ThyroidSynth {__version__}, this is {self._version}")

    def run(self, task: Callable[[], Any]) -> Any:
        """Run a task in the one thread of this process for tasks."""
        return _thread.submit(self._run_in_thread, task).result()

    def _run_in_thread(self, task: Callable[[], Any]) -> Any:
        # Two commands may use a worker in turn, and what an initializer sets is shared by the whole process.
        if _initialised_for != [self.name]:
            _initialised_for.clear()
            use_one_core()
            if self._initializer is not None:
                self._initializer()
            _initialised_for.append(self.name)
        return task()


# One task at a time and always in the same thread, whatever number of threads the worker has: the number of threads
# that PyTorch uses is set per thread, and changes the last digits of results.
_thread = ThreadPoolExecutor(1, "thyroidsynth")
_initialised_for: list[str] = []


def _wait_and_cancel(futures: list[Future]) -> None:
    """Wait for tasks in progress, so that none writes afterwards; there are at most two for each worker."""
    until = time.monotonic() + TIMEOUT_S
    while not all(future.done() for future in futures) and time.monotonic() < until:
        time.sleep(0.05)
    for future in futures:
        future.cancel()
