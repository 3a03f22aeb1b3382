"""Each chunk is computed by one thread alone, and results are in the order of the chunks."""

from __future__ import annotations

import threading

import pytest
import torch

from ThyroidSynthLib.model.threads import computing_on, in_threads


@pytest.fixture
def two_threads():
    with computing_on(2):
        yield


def test_each_chunk_is_computed_by_one_thread_alone(two_threads):
    """Otherwise every product of a chunk would be shared among threads: slower, and with other last bits."""
    together = threading.Barrier(2, timeout=20)

    def look(chunk: int) -> tuple[str, int]:
        together.wait()  # Both threads of the pool take part.
        torch.ones(400, 400) @ torch.ones(400, 400)
        return threading.current_thread().name, torch.get_num_threads()

    found = in_threads(look, range(4))
    assert len({name for name, _ in found}) == 2
    assert [threads for _, threads in found] == [1, 1, 1, 1]
    assert torch.get_num_threads() == 2


def test_results_are_in_the_order_of_the_chunks(two_threads):
    assert in_threads(lambda chunk: chunk * 2, range(7)) == [0, 2, 4, 6, 8, 10, 12]


def test_an_error_in_a_chunk_is_raised(two_threads):
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda chunk: 1 // chunk, [1, 0])


def test_with_one_thread_the_calling_thread_does_everything():
    with computing_on(1):
        names = in_threads(lambda chunk: threading.current_thread().name, range(3))
    assert set(names) == {threading.current_thread().name}
