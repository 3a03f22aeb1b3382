"""Chunks of arithmetic on all the threads that PyTorch may use, each chunk on one of them.

PyTorch itself shares every single operation among its threads and waits for the last of them each time. A
thread that takes a whole chunk through all its layers keeps it in its own cache and waits for nobody, also
where other programs use the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Chunk = TypeVar("Chunk")
Found = TypeVar("Found")


def in_threads(work: Callable[[Chunk], Found], chunks: Sequence[Chunk]) -> list[Found]:
    """Do the work on every chunk, and give what it gave in their order.

    Parameters
    ----------
    work : callable
        Must not depend on other chunks' work, nor use this function itself.
    chunks : sequence
    """
    threads = min(torch.get_num_threads(), len(chunks))
    if threads < 2:
        return [work(chunk) for chunk in chunks]
    return list(_pool(torch.get_num_threads()).map(work, chunks))


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(threads, "chunks", initializer=_use_one_thread)
    # PyTorch keeps the number for threads to come as well: start all of ours, then say it again for the rest.
    list(pool.map(_nothing, range(4 * threads)))
    torch.set_num_threads(threads)
    return pool


def _use_one_thread() -> None:
    """Let products of the calling thread be computed by it alone."""
    # A thread takes the number of all when it is first asked for, also by a product: asked for now, it is not later.
    torch.get_num_threads()
    torch.set_num_threads(1)


def _nothing(number: int) -> None:
    """Keep a thread busy for a moment, so that the pool starts the next one."""
    time.sleep(0.001)
