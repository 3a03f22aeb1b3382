"""Job folders: state, lock and metrics, and starting and stopping the training process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from ThyroidSynthLib.common.errors import JobError
from ThyroidSynthLib.common.processes import ProcessIdentity, launch_detached, start_time
from ThyroidSynthLib.common.progress import stop_on_signals
from ThyroidSynthLib.jobs import background
from ThyroidSynthLib.jobs.job import JobFolder, JobState

CONFIG = {"settings": {"epochs": 10}}


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path / "job", CONFIG)


@pytest.fixture
def sleeper():
    """A child process that sleeps for a minute."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield ProcessIdentity(child.pid, start_time(child.pid), ProcessIdentity.of_this_process().host), child
    child.kill()
    child.wait()


def running(identity: ProcessIdentity, **values) -> JobState:
    return JobState(status="running", epochs=10, **identity.to_json(), **values)


def wait_for(condition, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return found


def test_a_new_job_is_found_again_and_is_not_running_and_is_not_replaced(job: JobFolder) -> None:
    again = JobFolder.open(job.path)

    assert again.read_config() == CONFIG
    assert again.read_state().status == "created"
    assert not again.is_running()
    with pytest.raises(JobError, match="already holds a training job"):
        JobFolder.create(job.path, CONFIG)


def test_a_folder_with_other_files_does_not_become_a_job(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(JobError, match="not a training job"):
        JobFolder.create(tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_job_whose_creation_was_killed_can_be_created_again(job: JobFolder) -> None:
    job.config_file.unlink()

    assert JobFolder.create(job.path, CONFIG).exists()


def test_a_folder_without_a_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="holds no training job"):
        JobFolder.open(tmp_path)


def test_the_state_of_a_living_process_is_as_written(job: JobFolder, sleeper) -> None:
    job.write_state(running(sleeper[0], epoch=3, loss=0.5, eta_s=7.0, device="cpu"))

    state = job.read_state()

    assert (state.status, state.epoch, state.loss, state.eta_s, state.device) == ("running", 3, 0.5, 7.0, "cpu")
    assert state.heartbeat == pytest.approx(time.time(), abs=5)
    assert job.is_running()


def test_a_running_job_with_a_stop_request_is_stopping(job: JobFolder, sleeper) -> None:
    job.write_state(running(sleeper[0]))

    job.request_stop()

    assert job.read_state().status == "stopping"
    assert job.is_running()


def test_a_job_whose_process_was_killed_is_interrupted(job: JobFolder, sleeper) -> None:
    identity, child = sleeper
    job.write_state(running(identity, epoch=4))

    child.kill()
    child.wait()
    state = job.read_state()
    assert state.status == "interrupted"
    assert "after epoch 4 of 10" in state.message
    assert not job.is_running()


def test_a_job_whose_pid_now_belongs_to_another_process_is_interrupted(job: JobFolder, sleeper) -> None:
    job.write_state(running(replace(sleeper[0], started="12345")))

    assert job.read_state().status == "interrupted"


def test_a_process_with_a_reused_pid_is_never_signalled(sleeper) -> None:
    identity, child = sleeper

    replace(identity, started="12345").kill()
    assert child.poll() is None


@pytest.mark.parametrize(("age_s", "status"), [(10, "running"), (3600, "interrupted")])
def test_a_job_on_another_machine_is_judged_by_its_heartbeat(job: JobFolder, age_s: float, status: str) -> None:
    job.write_state(running(ProcessIdentity(os.getpid(), "1", "another-machine")))
    written = json.loads(job.state_file.read_text())
    job.state_file.write_text(json.dumps({**written, "heartbeat": time.time() - age_s}))

    assert job.read_state().status == status


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no zombies")
def test_a_zombie_process_does_not_count_as_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    wait_for(lambda: start_time(child.pid) is None)

    os.kill(child.pid, 0)  # A zombie keeps its id until it is waited for.
    child.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="There is no ps")
def test_start_times_are_read_by_ps_where_there_is_no_proc(sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    identity, child = sleeper
    monkeypatch.setattr(Path, "exists", lambda path: False)

    first = start_time(identity.pid)

    assert first not in (None, identity.started) and start_time(identity.pid) == first
    child.kill()
    child.wait()
    assert start_time(identity.pid) is None


def test_a_start_on_a_running_job_is_refused(job: JobFolder, sleeper) -> None:
    job.write_state(running(sleeper[0]))

    for attempt in (job.prepare_start, lambda: job.restart(CONFIG), job.refuse_if_running):
        with pytest.raises(JobError, match=f"is being trained by process {sleeper[0].pid}"):
            attempt()


def test_two_processes_cannot_lock_a_job_at_once(job: JobFolder) -> None:
    program = (
        "import sys; from ThyroidSynthLib.jobs.job import JobFolder\n"
        "with JobFolder(sys.argv[1]).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(job.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "locked\n"
        second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        first.kill()
    third = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    assert "is being trained" in second.stderr
    assert third.stdout == "locked\n", "a killed process must not leave the job locked"


def test_a_new_start_clears_the_stop_request_of_the_last_run(job: JobFolder) -> None:
    job.write_state(JobState(status="stopped", epoch=5, epochs=10))
    job.request_stop()

    job.prepare_start()

    state = job.read_state()
    assert not job.should_stop()
    assert (state.status, state.epoch) == ("created", 5)


def test_restarting_deletes_earlier_results(job: JobFolder) -> None:
    for path in (job.checkpoint_file, job.metrics_file, job.model_file):
        path.write_text("old")
    job.write_state(JobState(status="finished", epoch=10, epochs=10))

    job.restart({"settings": {"epochs": 20}})

    assert not any(path.exists() for path in (job.checkpoint_file, job.metrics_file))
    assert job.model_file.read_text() == "old", "it stays until the new model takes its place"
    assert job.read_config()["settings"]["epochs"] == 20
    assert job.read_state().epoch == 0


def test_metrics_are_read_since_an_epoch(job: JobFolder) -> None:
    for epoch in range(1, 6):
        job.append_metrics({"epoch": epoch, "loss": 1 / epoch})

    assert [record["epoch"] for record in job.read_metrics(since=3)] == [4, 5]
    assert job.read_metrics()[0]["loss"] == 1.0


def test_an_incomplete_line_is_ignored_and_removed_on_resuming(job: JobFolder) -> None:
    for epoch in (1, 2, 3):
        job.append_metrics({"epoch": epoch, "loss": 0.1})
    with job.metrics_file.open("a") as stream:
        stream.write('{"epoch": 4, "lo')

    assert [record["epoch"] for record in job.read_metrics()] == [1, 2, 3]
    job.drop_metrics_from(3)
    job.append_metrics({"epoch": 3, "loss": 0.2})
    assert [(record["epoch"], record["loss"]) for record in job.read_metrics()] == [(1, 0.1), (2, 0.1), (3, 0.2)]


def test_a_damaged_state_is_reported(job: JobFolder) -> None:
    job.state_file.write_text("{")

    with pytest.raises(JobError, match="Restart the job"):
        job.read_state()


def test_a_state_that_is_being_replaced_is_read_again(job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows a file cannot be opened while it is being replaced."""
    content = [job.state_file.read_bytes(), PermissionError(13, "Permission denied")]
    monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=content[::-1]))
    assert job.read_state().status == "created"


def test_the_state_is_replaced_atomically(job: JobFolder) -> None:
    program = (
        "import sys; from ThyroidSynthLib.jobs.job import JobFolder, JobState\n"
        "job = JobFolder(sys.argv[1])\n"
        "for epoch in range(400): job.write_state(JobState(status='stopped', epoch=epoch, message='x' * 5000))"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(job.path)]) as writer:
        while writer.poll() is None:
            job.read_state()

    assert writer.returncode == 0
    assert job.read_state().epoch == 399


class TestBackgroundProcess:
    """Start and stop a process, with short programs in place of the training script."""

    STOPS_ON_REQUEST = """
import sys, time
from ThyroidSynthLib.jobs.job import JobFolder, JobState
from ThyroidSynthLib.common.processes import ProcessIdentity
job = JobFolder(sys.argv[sys.argv.index("--job") + 1])
state = JobState(status="running", epochs=10, **ProcessIdentity.of_this_process().to_json())
job.write_state(state)
while not job.should_stop():
    time.sleep(0.01)
job.write_state(JobState(status="stopped", epochs=10))
"""
    IGNORES_REQUESTS = STOPS_ON_REQUEST.replace("while not job.should_stop():", "while True:")
    IGNORES_TERMINATION = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + IGNORES_REQUESTS

    def start(self, job: JobFolder, program: str) -> int:
        script = job.path.parent / "script.py"
        script.write_text(program)
        return background.start_detached(sys.executable, script, job)

    def test_a_job_counts_as_running_from_the_moment_it_is_started(self, job: JobFolder) -> None:
        pid = self.start(job, self.STOPS_ON_REQUEST)

        assert job.is_running()
        with pytest.raises(JobError, match="is being trained"):
            self.start(job, self.STOPS_ON_REQUEST)
        wait_for(lambda: job.read_state().status == "running")
        assert job.read_state().pid == pid
        background.stop(job)

    def test_a_process_stops_on_request(self, job: JobFolder) -> None:
        self.start(job, self.STOPS_ON_REQUEST)
        wait_for(lambda: job.read_state().status == "running")

        background.stop(job)

        assert job.read_state().status == "stopped"
        assert not job.should_stop()

    def test_a_process_that_ignores_requests_is_terminated(self, job: JobFolder) -> None:
        self.start(job, self.IGNORES_REQUESTS)
        wait_for(lambda: job.read_state().status == "running")

        background.stop(job, timeout_s=0.1)

        assert job.read_state().status == "interrupted"

    @pytest.mark.skipif(sys.platform == "win32", reason="Terminating cannot be ignored there")
    def test_a_process_that_ignores_termination_is_killed(self, job: JobFolder) -> None:
        self.start(job, self.IGNORES_TERMINATION)
        wait_for(lambda: job.read_state().status == "running")
        sequence, phases, now = background.StopSequence(job, timeout_s=30, terminate_s=10), [], 0.0
        while not phases or phases[-1] != "ended":
            phases.append(sequence.poll(now))
            now += 10.0  # The test passes the time itself instead of waiting.
            if phases[-1] == "killing":
                wait_for(lambda: not job.is_running())

        assert phases == ["requested", "requested", "requested", "terminating", "killing", "ended"]

    def test_stopping_a_job_that_does_not_run_leaves_no_stop_request(self, job: JobFolder) -> None:
        assert background.StopSequence(job).poll(0.0) == "ended"
        assert not job.should_stop()

    def test_a_process_that_ends_before_its_first_state_fails_with_its_last_line(self, job: JobFolder) -> None:
        self.start(job, "raise SystemExit('there is no torch here')")

        state = wait_for(lambda: job.read_state() if job.read_state().status == "failed" else None)

        assert "there is no torch here" in state.message
        assert not job.is_running()

    def test_a_missing_interpreter_is_reported(self, job: JobFolder) -> None:
        with pytest.raises(JobError, match="Check the Python interpreter"):
            background.start_detached(job.path / "no-python", "script.py", job)

    def test_a_finished_child_leaves_no_zombie(self, job: JobFolder) -> None:
        pid = self.start(job, self.STOPS_ON_REQUEST)
        wait_for(lambda: job.read_state().status == "running")
        background.stop(job)

        wait_for(lambda: not ProcessIdentity(pid, "1", "").is_alive() and start_time(pid) is None)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    @pytest.mark.skipif(sys.platform == "win32", reason="There are no sessions on Windows")
    def test_a_detached_process_survives_its_parent_and_the_parents_terminal(self, job: JobFolder) -> None:
        script = job.path.parent / "script.py"
        script.write_text(self.STOPS_ON_REQUEST)
        program = (
            "import sys, time\n"
            "from ThyroidSynthLib.jobs.background import start_detached\n"
            "from ThyroidSynthLib.jobs.job import JobFolder\n"
            "print(start_detached(sys.executable, sys.argv[1], JobFolder(sys.argv[2])), flush=True)\n"
            "time.sleep(60)"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, str(script), str(job.path)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as parent:
            pid = int(parent.stdout.readline())
            wait_for(lambda: job.read_state().status == "running")
            os.killpg(parent.pid, signal.SIGKILL)

        assert os.getsid(pid) == pid
        time.sleep(0.1)
        assert job.read_state().status == "running"
        background.stop(job)
        assert job.read_state().status == "stopped"


def test_output_is_appended_to_the_log_and_never_goes_to_a_pipe(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("earlier\n")
    command = [sys.executable, "-c", "import sys; print('out', flush=True); print('err', file=sys.stderr)"]

    identity = launch_detached(command, log=log, environment=os.environ)

    wait_for(lambda: not identity.is_alive())
    assert log.read_text().splitlines() == ["earlier", "out", "err"]


def test_the_script_is_found_from_the_source_tree() -> None:
    assert background.train_script().name == "ThyroidSynthTrain.py"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_requests_a_stop_and_the_second_acts_as_usual(number: int) -> None:
    received = []

    def as_usual(number: int, frame: object) -> None:
        received.append(number)

    before = signal.signal(number, as_usual)
    try:
        with stop_on_signals() as should_stop:
            assert not should_stop()
            signal.raise_signal(number)
            assert should_stop() and received == []
            signal.raise_signal(number)
            assert received == [number]
        assert signal.getsignal(number) is as_usual
    finally:
        signal.signal(number, before)
