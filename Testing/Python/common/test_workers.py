"""Parallel tasks give every result, also when a worker crashes or the user cancels."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.worker_tasks import double_or_die
from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.common.workers import WorkerFailure, Workers, usable_workers


@pytest.mark.parametrize("count", [1, 2])
def test_every_task_yields_its_result(count):
    with Workers(count) as workers:
        assert dict(workers.run(abs, range(-9, 0))) == {n: -n for n in range(-9, 0)}
        assert dict(workers.run(abs, [])) == {}


def test_a_task_that_crashes_its_worker_fails_alone():
    with Workers(2) as workers:
        results = dict(workers.run(double_or_die, range(8, 18)))
        assert isinstance(results.pop(13), WorkerFailure)
        assert results == {n: 2 * n for n in range(8, 18) if n != 13}
        assert dict(workers.run(abs, range(3))) == {0: 0, 1: 1, 2: 2}


@pytest.mark.parametrize("task", ["write_pid_and_stay", "write_pid_and_hold_the_interpreter"])
def test_workers_end_when_their_parent_is_killed(tmp_path, task):
    if task != "write_pid_and_stay" and sys.platform != "linux":
        pytest.skip("elsewhere a worker ends when its call has returned")
    note = tmp_path / "pid"
    code = (
        "from ThyroidSynthLib.common.workers import Workers\n"
        f"from support.worker_tasks import {task}\n"
        f"if __name__ == '__main__':\n    list(Workers(2).run({task}, [{str(note)!r}]))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    _until(lambda: note.is_file() and note.read_text())
    parent.kill()
    parent.wait()
    worker = int(note.read_text())
    _until(lambda: not _is_running(worker), seconds=10)


def test_tasks_are_taken_only_as_the_workers_need_them():
    taken = []

    def tasks():
        for number in range(50):
            taken.append(number)
            yield number

    with Workers(2) as workers:
        results = workers.run(abs, tasks())
        next(results)
        assert len(taken) <= 8


@pytest.mark.parametrize("count", [1, 2])
def test_cancelling_ends_the_run(count):
    results = []
    with Workers(count) as workers, pytest.raises(Cancelled):
        for result in workers.run(abs, range(1000), should_stop=lambda: len(results) >= 3):
            results.append(result)
    assert 3 <= len(results) < 20


def test_an_application_that_embeds_python_starts_no_processes(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
    assert usable_workers(8) == 1
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3.12")
    assert usable_workers(8) == 8 and usable_workers() >= 1


def _until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.is_file() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
