"""A cohort made by a background process: its state, stopping it, and starting it once only."""

from __future__ import annotations

import json
import sys
import time

import pytest

from support.kept_models import kept_model
from ThyroidSynthLib.common.errors import JobError
from ThyroidSynthLib.export.cohort.cohort_run import CohortRun


@pytest.fixture(scope="module")
def model_path():
    return kept_model("tiny")


@pytest.fixture
def run(tmp_path):
    run = CohortRun(tmp_path / "made")
    yield run
    run.kill()


def wait(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_folder_without_a_run_has_no_state(tmp_path):
    assert CohortRun(tmp_path).state().status == "none"
    assert CohortRun(tmp_path / "nowhere").state().status == "none"


def test_a_run_makes_the_cohort_and_finishes(run, model_path):
    run.start(sys.executable, [str(model_path), "--count", "2", "--format", "none", "--mesh", "ply"], total=2)
    assert run.state().runs
    wait(lambda: not run.state().runs)
    state = CohortRun(run.folder).state()
    assert (state.status, state.done, state.total) == ("finished", 2, 2)
    assert json.loads((run.folder / "manifest.json").read_text())["complete"] is True


def test_a_stopped_run_keeps_finished_thyroids_and_can_be_started_again(run, model_path):
    many = [str(model_path), "--count", "5000", "--format", "none", "--workers", "1"]
    run.start(sys.executable, many, total=5000)
    with pytest.raises(JobError, match="being made"):
        CohortRun(run.folder).start(sys.executable, many, total=5000)
    wait(lambda: run.state().done >= 2)
    run.request_stop()
    assert run.state().status in ("stopping", "stopped")
    wait(lambda: not run.state().runs)
    assert run.state().status == "stopped"
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert manifest["count"] == run.state().done
    run.start(sys.executable, [str(model_path), "--count", "1", "--format", "none", "--overwrite"], total=1)
    assert run.state().done == 0
    wait(lambda: not run.state().runs)
    assert run.state().status == "finished"


def test_a_failed_run_reports_the_error(run, model_path):
    run.start(sys.executable, [str(model_path), "--symmetry", "1.5"], total=1)
    wait(lambda: not run.state().runs)
    state = run.state()
    assert state.status == "failed"
    assert "symmetry" in state.message
    assert "error:" not in state.message


def test_a_killed_run_has_failed(run, model_path):
    run.start(sys.executable, [str(model_path), "--count", "5000", "--format", "none", "--workers", "1"], total=5000)
    wait(lambda: run.state().done >= 1)
    run.kill()
    wait(lambda: not run.state().runs)
    assert run.state().status == "failed"


def test_a_missing_python_is_an_error(tmp_path):
    with pytest.raises(JobError, match="cannot be made"):
        CohortRun(tmp_path / "x").start(tmp_path / "no python", [], total=1)
