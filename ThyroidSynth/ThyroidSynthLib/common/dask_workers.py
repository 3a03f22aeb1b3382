"""Running many independent steps on a Dask cluster instead of in processes of this machine.

Dask brings the steps to its workers and does a step again elsewhere when a worker is lost with it. A step
here writes whole files and gives the same result wherever and however often it is done, so nothing is lost
or doubled. All machines must see the same folders under the same paths.

This file needs the package `distributed`; `parallel.workers_for` says so where it is missing.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future, KilledWorker, WorkerPlugin, get_worker

from ThyroidSynthLib import __version__

from .errors import JobError
from .progress import ShouldStop, check, never
from .workers import Result, Task, WorkerFailure, Workers, use_one_core

_PATIENCE_S = 30.0
_COUNT_EVERY_S = 1.0


class DaskWorkers(Workers):
    """The workers of a Dask scheduler, with the behaviour of `Workers`.

    Workers may come and go meanwhile. A step with which several have died is given as `Died`.

    Parameters
    ----------
    scheduler : str
        Its address, such as "tcp://10.0.0.1:8786".
    begin : callable, optional
        As of `Workers`; called before the first step that a worker process does.
    """

    def __init__(self, scheduler: str, *, begin: Callable[[], None] | None = None) -> None:
        super().__init__(1, begin=begin)
        self._scheduler = scheduler
        self._name = f"thyroidsynth-{uuid.uuid4().hex}"
        self._numbers = 0
        self._counted = -_COUNT_EVERY_S

    def __enter__(self) -> DaskWorkers:
        """Connect.

        Raises
        ------
        JobError
            There is no scheduler, it has no workers, or they have another ThyroidSynth.
        """
        try:
            self._client = Client(self._scheduler, timeout=_PATIENCE_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise JobError(
                f"No Dask scheduler answers at {self._scheduler} ({error}). Check the address that it printed when it "
                "was started, and that it can be reached from here."
            ) from error
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE_S)
            # The scheduler reads the steps as well; this fails where it cannot.
            self._client.run_on_scheduler(_find_library)
            self._client.register_plugin(_Steps(self._begin, __version__), name=self._name)
        except TimeoutError as error:
            self._client.close()
            raise JobError(
                f"The Dask scheduler at {self._scheduler} has no workers. Start some: dask worker {self._scheduler}"
            ) from error
        except Exception as error:  # Dask passes on what failed there as it likes.
            self._client.close()
            raise JobError(
                f"The Dask scheduler at {self._scheduler} or one of its workers cannot do the work ({error}). "
                f"Install ThyroidSynth {__version__} with its packages for the scheduler and every worker."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        # Without a scheduler there is nothing left to take back.
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
        """Apply a module's function to each task, as `Workers.run` does.

        Raises
        ------
        Cancelled
            A stop was requested; steps in progress have ended.
        JobError
            The scheduler was lost.
        """
        waiting = iter(tasks)
        running: dict[str, tuple[Future, Task]] = {}
        ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        try:
            while True:
                check(should_stop)
                self._hand_out(function, waiting, running, ended)
                if not running:
                    return
                try:
                    future = ended.get(timeout=0.2)
                except queue.Empty:
                    continue
                _, task = running.pop(future.key)
                yield task, self._result(future)
        finally:
            _let_end([future for future, _ in running.values()])

    def _hand_out(
        self,
        function: Callable,
        waiting: Iterator,
        running: dict[str, tuple[Future, Any]],
        ended: queue.SimpleQueue[Future],
    ) -> None:
        if time.monotonic() - self._counted > _COUNT_EVERY_S:
            try:
                self.count = max(1, len(self._client.nthreads()))
            except OSError as error:
                raise self._lost() from error
            self._counted = time.monotonic()
        while len(running) < 2 * self.count:
            try:
                task = next(waiting)
            except StopIteration:
                return
            self._numbers += 1
            # A key of its own: Dask would do equal steps once.
            key = f"{self._name}-{self._numbers}"
            future = self._client.submit(_do, _Step(self._name, function, task), key=key, pure=False)
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
            f"The Dask scheduler at {self._scheduler} was lost. When it is there again, the same command goes on."
        )


@dataclass(frozen=True)
class _Step:
    """A step as it travels: what to do, and the name under which the worker knows how to begin."""

    name: str
    function: Callable[[Any], Any]
    task: Any


def _find_library() -> None:
    """Do nothing, where the library is found."""


def _do(step: _Step) -> Any:
    return get_worker().plugins[step.name].do(step)


class _Steps(WorkerPlugin):
    """What a worker needs for the steps of one command; also given to workers that come later."""

    def __init__(self, begin: Callable[[], None] | None, version: str) -> None:
        self._begin = begin
        self._version = version

    def setup(self, worker: Any) -> None:
        if self._version != __version__:
            raise JobError(f"it has ThyroidSynth {__version__}, this is {self._version}")

    def do(self, step: _Step) -> Any:
        """Do a step in the one thread of this process that does them."""
        return _thread.submit(self._do_here, step).result()

    def _do_here(self, step: _Step) -> Any:
        # Two commands may use a worker by turns, and what they begin with is the process's.
        if _begun != [step.name]:
            _begun.clear()
            use_one_core()
            if self._begin is not None:
                self._begin()
            _begun.append(step.name)
        return step.function(step.task)


# One step at a time, whatever number of threads the worker has, and always in the same thread: how many
# threads PyTorch uses is said to each thread, and decides about the last digits.
_thread = ThreadPoolExecutor(1, "thyroidsynth")
_begun: list[str] = []


def _let_end(futures: list[Future]) -> None:
    """Wait for steps that are in hand, so that none writes after this; there are at most two for each worker."""
    until = time.monotonic() + _PATIENCE_S
    while not all(future.done() for future in futures) and time.monotonic() < until:
        time.sleep(0.05)
    for future in futures:
        future.cancel()
