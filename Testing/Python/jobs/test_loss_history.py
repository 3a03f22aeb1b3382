"""The loss curve of a job: read incrementally, and from the start when a training restarts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.loss_history import LossHistory


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path / "job", {})


def append(job: JobFolder, *epochs: int, loss: float = 1.0, seconds: float = 0.5) -> None:
    for epoch in epochs:
        job.append_metrics({"epoch": epoch, "loss": loss / epoch, "seconds": seconds})


def test_only_new_epochs_are_read(job: JobFolder) -> None:
    history = LossHistory(job)
    assert not history.update() and list(history.epochs) == []
    append(job, 1, 2)
    assert history.update() and list(history.epochs) == [1, 2]
    assert not history.update()
    append(job, 3)
    assert history.update() and list(history.losses) == pytest.approx([1, 1 / 2, 1 / 3])


def test_an_incomplete_line_is_read_once_it_is_complete(job: JobFolder) -> None:
    history = LossHistory(job)
    append(job, 1)
    with job.metrics_file.open("a") as stream:
        stream.write('{"epoch": 2, "loss"')
    assert history.update() and list(history.epochs) == [1]
    with job.metrics_file.open("a") as stream:
        stream.write(': 0.25, "seconds": 1}\n{"epoch": 3}\nnonsense\n')
    assert history.update() and list(history.epochs) == [1, 2]


def test_a_training_that_resumes_or_restarts_is_followed(job: JobFolder) -> None:
    history = LossHistory(job)
    append(job, 1, 2, 3, 4)
    history.update()
    job.drop_metrics_from(3)
    append(job, 3, loss=6.0)
    history.update()
    assert list(history.epochs) == [1, 2, 3] and history.losses[-1] == 2.0
    job.restart({})
    assert history.update() and list(history.epochs) == []
    append(job, 1, 2, loss=5.0)
    assert history.update() and list(history.losses) == [5.0, 2.5]


def test_a_shorter_file_with_the_same_beginning_is_read_anew(job: JobFolder) -> None:
    history = LossHistory(job)
    append(job, *range(1, 12))
    history.update()
    job.drop_metrics_from(6)
    history.update()
    assert list(history.epochs) == [1, 2, 3, 4, 5]


def test_many_epochs_are_thinned_for_a_plot(job: JobFolder) -> None:
    history = LossHistory(job)
    append(job, *range(1, 1001))
    history.update()
    points = history.thinned(100)
    assert len(points) == 100 and points[-1][0] == 1000
    assert all(a[1] > b[1] for a, b in pairwise(points))
    assert len(history.thinned(5000)) == 1000
    assert LossHistory(JobFolder(job.path / "none")).thinned(10) == []


def test_the_duration_of_an_epoch_is_the_median_of_the_recent_ones(job: JobFolder) -> None:
    history = LossHistory(job)
    assert history.seconds_per_epoch is None
    append(job, *range(1, 50), seconds=9.0)
    append(job, *range(50, 100), seconds=2.0)
    append(job, 100, seconds=3600.0)
    history.update()
    assert history.seconds_per_epoch == 2.0
