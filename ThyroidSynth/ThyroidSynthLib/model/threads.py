"""Chunks of arithmetic on several threads, each chunk on one of them.

NumPy leaves matrix products to a BLAS library, which shares every single product among threads of its own; those spin
while they wait for the next one, and are many times slower than one thread when other programs use the CPU. A thread
that takes a whole chunk through all layers keeps it in its own cache and waits only once.

Own code for the number of BLAS threads, because threadpoolctl is not part of Slicer.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_chosen: ContextVar[int | None] = ContextVar("number of threads for chunks", default=None)
_lock = threading.Lock()
_inside = 0  # Number of threads that are within `_blas_on_one_thread`.
_only_one = False


class _Blas(NamedTuple):
    """The BLAS library of NumPy: a function that sets its number of threads, and the number at the start."""

    set_threads: Callable[[int], object]
    threads: int


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Set the number of threads for chunks within a ``with`` block."""
    token = _chosen.set(threads)
    try:
        yield
    finally:
        _chosen.reset(token)


def compute_on_one_thread() -> None:
    """Use one thread from now on: for a process beside which others compute."""
    global _only_one
    _only_one = True
    if (blas := _blas()) is not None:
        blas.set_threads(1)


def in_threads(work: Callable[[Chunk], Result], chunks: Sequence[Chunk]) -> list[Result]:
    """Return the results of a function for all chunks, in their order.

    The function must neither depend on the work on other chunks nor call `in_threads`.
    """
    threads = _threads()
    if min(threads, len(chunks)) < 2:
        return in_turn(work, chunks)
    with _blas_on_one_thread():
        return list(_pool(threads).map(work, chunks))


def in_turn(work: Callable[[Chunk], Result], chunks: Sequence[Chunk]) -> list[Result]:
    """Return the same as `in_threads`, computed on the calling thread: faster for small chunks."""
    with _blas_on_one_thread():
        return [work(chunk) for chunk in chunks]


def _threads() -> int:
    """Return the number of threads for chunks: 1 if the threads of the BLAS library cannot be set."""
    chosen, blas = _chosen.get(), _blas()
    if blas is None or _only_one:
        return 1
    return blas.threads if chosen is None else chosen


@contextmanager
def _blas_on_one_thread() -> Iterator[None]:
    """Let the BLAS library use the calling threads only; the number is one for the whole process."""
    global _inside
    blas = _blas()
    if blas is None:
        yield
        return
    with _lock:
        _inside += 1
        if _inside == 1:
            blas.set_threads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                blas.set_threads(1 if _only_one else blas.threads)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "chunks")


@lru_cache(maxsize=1)
def _blas() -> _Blas | None:
    """Return the OpenBLAS library that NumPy has loaded, or None if it uses another one."""
    np.ones((2, 2)) @ np.ones((2, 2))
    for path in _libraries():
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        # NumPy's own builds rename the functions.
        for prefix in ("scipy_openblas", "openblas"):
            for suffix in ("64_", ""):
                setter = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                getter = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                if setter is not None and getter is not None:
                    return _Blas(setter, max(1, min(getter(), _usable_cores())))
    return None


def _libraries() -> list[Path]:
    """Return the files that may be NumPy's OpenBLAS: beside the package, else what the process has loaded (Linux)."""
    package = Path(np.__file__).parent
    folders = (package.parent / "numpy.libs", package / ".dylibs")
    found = [path for folder in folders for path in sorted(folder.glob("*openblas*"))]
    maps = Path("/proc/self/maps")
    if not found and maps.exists():
        loaded = {line.split(maxsplit=5)[-1] for line in maps.read_text().splitlines() if "openblas" in line}
        found = [Path(path) for path in sorted(loaded)]
    return found


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Windows and macOS.
        return os.cpu_count() or 1
