"""Chunks of arithmetic on all the threads that PyTorch may use, each chunk on one of them.

PyTorch itself shares every single operation among its threads and waits for the last of them each time. A
thread that takes a whole chunk through all its layers keeps it in its own cache and waits for nobody, also
where other programs use the machine.
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
Found = TypeVar("Found")

_for_chunks: ContextVar[int | None] = ContextVar("threads that are kept for chunks", default=None)


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def threads_for_chunks() -> Iterator[int]:
    """Keep PyTorch's threads for chunks, and give their number; other operations use the calling thread alone.

    Threads that have shared an operation look out for the next one for a while, without rest. On a processor
    with few cores they take them from those that work on chunks.
    """
    kept = _for_chunks.get()
    if kept is not None:
        yield kept
        return
    threads = torch.get_num_threads()
    token = _for_chunks.set(threads)
    try:
        with computing_on(1):
            yield threads
    finally:
        _for_chunks.reset(token)


def in_threads(work: Callable[[Chunk], Found], chunks: Sequence[Chunk]) -> list[Found]:
    """Do the work on every chunk, and give what it gave in their order.

    Parameters
    ----------
    work : callable
        Must not depend on other chunks' work, nor use this function itself.
    chunks : sequence
    """
    with threads_for_chunks() as threads:
        if min(threads, len(chunks)) < 2:
            return in_turn(work, chunks)
        return list(_pool(threads).map(work, chunks))


def in_turn(work: Callable[[Chunk], Found], chunks: Sequence[Chunk]) -> list[Found]:
    """Do the same on the calling thread alone: for so little that threads would only be in each other's way."""
    with threads_for_chunks():
        return [work(chunk) for chunk in chunks]


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Give so many threads of which each computes by itself."""
    pool = ThreadPoolExecutor(threads, "chunks", initializer=_compute_alone)
    list(pool.map(_nothing, range(4 * threads)))
    return pool


def _compute_alone() -> None:
    # A thread takes the number of all when it is first asked for, also by a product: asked for now, it is not later.
    torch.get_num_threads()
    torch.set_num_threads(1)


def _nothing(number: int) -> None:
    """Keep a thread busy for a moment, so that the pool starts the next one."""
    time.sleep(0.001)
