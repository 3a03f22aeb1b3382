"""The loss curve is followed while it grows, and starts over when the training does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.loss_history import LossHistory


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path / "job", {})


def tell(job: JobFolder, *epochs: int, loss: float = 1.0, seconds: float = 0.5) -> None:
    for epoch in epochs:
        job.append_metrics({"epoch": epoch, "loss": loss / epoch, "seconds": seconds})


def test_only_what_is_new_is_read(job: JobFolder) -> None:
    history = LossHistory(job)
    assert not history.update() and list(history.epochs) == []
    tell(job, 1, 2)
    assert history.update() and list(history.epochs) == [1, 2]
    assert not history.update()
    tell(job, 3)
    assert history.update() and list(history.losses) == pytest.approx([1, 1 / 2, 1 / 3])


def test_half_a_line_waits_for_its_end(job: JobFolder) -> None:
    history = LossHistory(job)
    tell(job, 1)
    with job.metrics_file.open("a") as stream:
        stream.write('{"epoch": 2, "loss"')
    assert history.update() and list(history.epochs) == [1]
    with job.metrics_file.open("a") as stream:
        stream.write(': 0.25, "seconds": 1}\n{"epoch": 3}\nnonsense\n')
    assert history.update() and list(history.epochs) == [1, 2]


def test_a_training_that_resumes_or_restarts_is_followed(job: JobFolder) -> None:
    history = LossHistory(job)
    tell(job, 1, 2, 3, 4)
    history.update()
    job.drop_metrics_from(3)
    tell(job, 3, loss=6.0)
    history.update()
    assert list(history.epochs) == [1, 2, 3] and history.losses[-1] == 2.0
    job.restart({})
    assert history.update() and list(history.epochs) == []
    tell(job, 1, 2, loss=5.0)
    assert history.update() and list(history.losses) == [5.0, 2.5]


def test_a_shorter_file_with_the_same_beginning_is_read_anew(job: JobFolder) -> None:
    history = LossHistory(job)
    tell(job, *range(1, 12))
    history.update()
    job.drop_metrics_from(6)
    history.update()
    assert list(history.epochs) == [1, 2, 3, 4, 5]


def test_many_epochs_are_thinned_to_what_can_be_seen(job: JobFolder) -> None:
    history = LossHistory(job)
    tell(job, *range(1, 1001))
    history.update()
    points = history.thinned(100)
    assert len(points) == 100 and points[-1][0] == 1000
    assert all(a[1] > b[1] for a, b in pairwise(points))
    assert len(history.thinned(5000)) == 1000
    assert LossHistory(JobFolder(job.path / "none")).thinned(10) == []


def test_the_pace_is_the_recent_one_and_no_pause_moves_it(job: JobFolder) -> None:
    history = LossHistory(job)
    assert history.seconds_per_epoch is None
    tell(job, *range(1, 50), seconds=9.0)
    tell(job, *range(50, 100), seconds=2.0)
    tell(job, 100, seconds=3600.0)
    history.update()
    assert history.seconds_per_epoch == 2.0
