"""Chunks of arithmetic on all threads of PyTorch, each chunk on one of them.

PyTorch shares every single operation among its threads and waits for the slowest each time. A thread that takes a
whole chunk through all layers keeps it in its own cache and waits only once, also while other programs use the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TypeVar

import torch

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_reserved: ContextVar[int | None] = ContextVar("number of threads reserved for chunks", default=None)


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Set the number of threads of PyTorch within a ``with`` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def threads_for_chunks() -> Iterator[int]:
    """Reserve PyTorch's threads for chunks within a ``with`` block, and return their number.

    Other operations then use the calling thread alone. Threads that have shared an operation spin for a while, waiting
    for the next one; on a CPU with few cores they would take them from the chunks.
    """
    reserved = _reserved.get()
    if reserved is not None:
        yield reserved
        return
    threads = torch.get_num_threads()
    token = _reserved.set(threads)
    try:
        with computing_on(1):
            yield threads
    finally:
        _reserved.reset(token)


def in_threads(work: Callable[[Chunk], Result], chunks: Sequence[Chunk]) -> list[Result]:
    """Return the results of a function for all chunks, in their order.

    The function must neither depend on the work on other chunks nor call `in_threads`.
    """
    with threads_for_chunks() as threads:
        if min(threads, len(chunks)) < 2:
            return in_turn(work, chunks)
        return list(_pool(threads).map(work, chunks))


def in_turn(work: Callable[[Chunk], Result], chunks: Sequence[Chunk]) -> list[Result]:
    """Return the same as `in_threads`, computed on the calling thread: faster for small chunks."""
    with threads_for_chunks():
        return [work(chunk) for chunk in chunks]


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return a pool whose threads compute each operation alone."""
    pool = ThreadPoolExecutor(threads, "chunks", initializer=_use_one_thread)
    # A pool starts a thread only while all others are busy.
    list(pool.map(time.sleep, [0.001] * 4 * threads))
    return pool


def _use_one_thread() -> None:
    # A thread adopts the global number at its first operation. Asking for it first makes the setting permanent.
    torch.get_num_threads()
    torch.set_num_threads(1)
