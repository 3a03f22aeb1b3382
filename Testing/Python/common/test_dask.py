"""A Dask cluster gives the same bytes as local processes, even if a worker is killed.

The scheduler and the workers are real processes, started as a user starts them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import distributed
import numpy as np
import pytest

from support.mask_files import affine, two_masks, write_case
from support.worker_tasks import note_and_double
from ThyroidSynthLib.common.errors import Cancelled, InputError, JobError
from ThyroidSynthLib.common.parallel import workers_for
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort
from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan, make_thyroids
from ThyroidSynthLib.export.cohort.generated_cohort import record_cohort, thyroid_writer
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.geometry.targets import Targets

THYROIDS = 7


@dataclass
class Cluster:
    address: str
    workers: list[subprocess.Popen]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and two worker processes with one thread each, in their own working directory."""
    folder = tmp_path_factory.mktemp("dask")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--host", "127.0.0.1"]
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    with ExitStack() as stack:

        def running(*arguments: str) -> subprocess.Popen:
            process = stack.enter_context(start(*arguments))
            stack.callback(process.kill)
            return process

        running("scheduler", "--port", "0", "--scheduler-file", "scheduler.json")
        worker = ("worker", "--scheduler-file", "scheduler.json", "--no-nanny", "--nthreads", "1")
        _until(lambda: (folder / "scheduler.json").is_file())
        workers = [running(*worker) for _ in range(2)]
        address = json.loads((folder / "scheduler.json").read_text(encoding="utf-8"))["address"]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield Cluster(address, workers)


def test_a_cluster_writes_the_same_folders_as_local_processes_even_if_a_worker_is_killed(
    cluster, small_model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    small_model.save(tmp_path / "model.safetensors")
    volumes = np.quantile(small_model.features[:, 0], np.linspace(0.2, 0.8, THYROIDS))
    targets = [Targets(volume_ml=float(volume)) for volume in volumes]

    def made(folder: str, kill_after: int = -1, **where) -> None:
        writer = thyroid_writer(Path(folder), options=FileOptions(label_format="nrrd", spacing_mm=3.0))
        plan = CohortPlan.of(small_model, Path("model.safetensors"), seed=2, to_target=False, writer=writer)

        def thyroids():
            for number, thyroid in enumerate(make_thyroids(plan, targets, **where)):
                if number == kill_after:
                    cluster.workers[0].kill()
                yield thyroid

        record_cohort(thyroids(), Path(folder), model=small_model, placement=writer.placement)

    def prepared(folder: str, **where) -> Cohort:
        prepare_cohort(Path("dataset"), Path(folder), PrepareOptions(samples_per_shape=500), **where)
        return Cohort.open(folder)

    for number, shape in enumerate([(40, 36, 44), (44, 36, 44)]):
        write_case(tmp_path / "dataset" / f"s{number}", *two_masks(shape), affine(degrees=3.0 * number))
    both = [prepared("one", workers=1), prepared("cluster", scheduler=cluster.address)]
    assert both[0].checksum == both[1].checksum
    assert (both[0].folder / "samples.npy").read_bytes() == (both[1].folder / "samples.npy").read_bytes()

    made("here")
    made("with_one_killed", kill_after=1, scheduler=cluster.address)

    assert cluster.workers[0].wait() != 0
    assert cluster.workers[1].poll() is None
    files = _files(Path("here"))
    assert len(files) == THYROIDS + 2
    assert _files(Path("with_one_killed")) == files


def test_a_cluster_yields_every_result_once_and_can_be_cancelled(cluster, tmp_path):
    tasks = [(str(tmp_path / str(number)), 5) for number in range(20)]
    with workers_for(1, scheduler=cluster.address) as workers:
        # Dask by itself runs equal tasks only once.
        results = list(workers.run(note_and_double, [tasks[0]] * 3 + tasks[1:]))
        assert sorted(task for task, _ in results) == sorted([tasks[0]] * 3 + tasks[1:])
        assert {result for _, result in results} == {10}
        assert Path(tasks[0][0]).read_text() == "done\n" * 3

        results_before_stop = []
        with pytest.raises(Cancelled):
            for result in workers.run(
                note_and_double,
                ((str(tmp_path / "stop"), n) for n in range(1000)),
                should_stop=lambda: len(results_before_stop) >= 3,
            ):
                results_before_stop.append(result)
        assert 3 <= len(results_before_stop) < 12
        written = (tmp_path / "stop").read_text()
        time.sleep(0.5)
        assert (tmp_path / "stop").read_text() == written

        with pytest.raises(InputError, match="of the step itself"):
            list(workers.run(note_and_double, [("", 0)]))


def test_the_workers_rest_when_the_command_is_killed(cluster, tmp_path):
    code = (
        "import sys\n"
        "from support.worker_tasks import note_and_double\n"
        "from ThyroidSynthLib.common.parallel import workers_for\n"
        "with workers_for(1, scheduler=sys.argv[1]) as workers:\n"
        "    list(workers.run(note_and_double, ((sys.argv[2], number) for number in range(100000))))\n"
    )
    notes = tmp_path / "notes"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, cluster.address, str(notes)]
    with subprocess.Popen(command, env=environment) as process:
        _until(lambda: notes.is_file() and notes.read_text().count("done") > 20)
        process.kill()
    time.sleep(2)
    written = notes.read_text()
    time.sleep(1)
    assert notes.read_text() == written

    with workers_for(1, scheduler=cluster.address) as workers:
        assert [result for _, result in workers.run(note_and_double, [(str(notes), 4)])] == [8]


def test_the_message_names_a_missing_scheduler_or_package(monkeypatch):
    monkeypatch.setattr("ThyroidSynthLib.common.dask_workers.TIMEOUT_S", 0.5)
    with (
        pytest.raises(JobError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        workers_for(1, scheduler="tcp://127.0.0.1:9"),
    ):
        pass
    monkeypatch.delitem(sys.modules, "ThyroidSynthLib.common.dask_workers")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"package distributed.*thyroidsynth\[cluster\]"):
        workers_for(1, scheduler="tcp://127.0.0.1:9")


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
