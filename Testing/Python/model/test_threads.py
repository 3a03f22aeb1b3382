"""Each chunk is computed by one thread alone, and results are in the order of the chunks."""

from __future__ import annotations

import threading

import pytest
from threadpoolctl import threadpool_info

from ThyroidSynthLib.model.threads import computing_on, in_threads


def _threads_of_blas() -> int | None:
    """Return the number of threads of NumPy's BLAS, as an independent program finds it."""
    of_numpy = [info for info in threadpool_info() if "numpy" in info["filepath"] and info["user_api"] == "blas"]
    return of_numpy[0]["num_threads"] if of_numpy else None


@pytest.fixture
def two_threads():
    with computing_on(2):
        yield


def test_each_chunk_is_computed_by_one_thread_alone(two_threads):
    """Otherwise every product of a chunk would be shared among threads: slower, and with other last bits."""
    together = threading.Barrier(2, timeout=20)
    before = _threads_of_blas()

    def look(chunk: int) -> tuple[str, int | None]:
        together.wait()  # Both threads of the pool take part.
        return threading.current_thread().name, _threads_of_blas()

    found = in_threads(look, range(4))
    assert len({name for name, _ in found}) == 2
    assert [threads for _, threads in found] == [1, 1, 1, 1]
    assert _threads_of_blas() == before


def test_the_threads_of_blas_are_restored_when_the_last_of_several_users_is_done(two_threads):
    before = _threads_of_blas()
    first_inside, second_done = threading.Event(), threading.Event()

    def slow(chunk: int) -> int | None:
        first_inside.set()
        second_done.wait(20)
        return _threads_of_blas()

    seen = []
    other = threading.Thread(target=lambda: seen.extend(in_threads(slow, [0])))
    other.start()
    first_inside.wait(20)
    in_threads(lambda chunk: chunk, [0])
    second_done.set()
    other.join()
    assert seen == [1]
    assert _threads_of_blas() == before


def test_results_are_in_the_order_of_the_chunks(two_threads):
    assert in_threads(lambda chunk: chunk * 2, range(7)) == [0, 2, 4, 6, 8, 10, 12]


def test_an_error_in_a_chunk_is_raised(two_threads):
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda chunk: 1 // chunk, [1, 0])


def test_with_one_thread_the_calling_thread_does_everything():
    with computing_on(1):
        names = in_threads(lambda chunk: threading.current_thread().name, range(3))
    assert set(names) == {threading.current_thread().name}
