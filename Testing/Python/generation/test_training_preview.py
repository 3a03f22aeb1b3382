"""The preview of a running training, and the time it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import JobError, OutputError, SynthesisError
from ThyroidSynthLib.generation.training_preview import PreviewWriter
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for
from ThyroidSynthLib.jobs.job_run import run_job
from ThyroidSynthLib.jobs.preview import Preview, read_preview, write_preview


class Clock:
    """A clock that is advanced by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", cases=3, samples_per_shape=300).folder


@pytest.fixture
def job(cohort: Path, tmp_path: Path) -> JobFolder:
    return job_for(tmp_path / "job", JobOptions(input=cohort, epochs=30, device="cpu"))


def test_a_training_writes_a_preview_of_a_case(job) -> None:
    clock = Clock()
    writer = PreviewWriter(job, clock=clock)

    def one_second_per_epoch(epoch, model_of):
        writer(epoch, model_of)
        clock.now += 1.0

    run_job(job, on_snapshot=one_second_per_epoch)
    preview = read_preview(job.preview_file)

    assert preview.case_id in ("tiny00", "tiny01", "tiny02")
    assert 1 < preview.epoch <= 30
    assert preview.original.is_closed() and len(preview.reconstruction.faces) > 50
    size = np.ptp(preview.reconstruction.vertices, axis=0)
    assert ((size > 5) & (size < 150)).all(), "in mm"
    assert [path.name for path in job.path.glob(".*")] == []
    job.restart(job.read_config())
    assert read_preview(job.preview_file) is None


def test_previews_take_a_hundredth_of_the_time(job) -> None:
    clock, started = Clock(), []

    def one_second():
        started.append(clock.now)
        clock.now += 1.0
        raise SynthesisError("no surface")

    writer = PreviewWriter(job, clock=clock)
    for epoch in range(1000):
        writer(epoch, one_second)
        clock.now += 0.5

    gaps = np.diff(started)
    assert len(started) >= 4 and (gaps >= 100).all() and (gaps <= 102).all()


@pytest.mark.parametrize("error", [SynthesisError("no surface"), OutputError("disk full"), ValueError("?")])
def test_a_preview_that_fails_does_not_end_the_training(job, error: Exception) -> None:
    clock = Clock()
    writer = PreviewWriter(job, clock=clock)

    def fails():
        raise error

    writer(1, fails)
    clock.now += 10
    writer(2, fails)

    assert not job.preview_file.exists()


def test_a_damaged_preview_is_rejected(tmp_path: Path, job) -> None:
    (tmp_path / "preview.npz").write_bytes(b"PK\x03\x04 and nothing more")

    with pytest.raises(JobError, match="is damaged"):
        read_preview(tmp_path / "preview.npz")
    truth = write_tiny_cohort(tmp_path / "one", cases=1, samples_per_shape=10).surface("tiny00")
    write_preview(tmp_path / "preview.npz", Preview("a", 3, truth, truth))
    again = read_preview(tmp_path / "preview.npz")
    assert (again.case_id, again.epoch) == ("a", 3)
    assert np.allclose(again.reconstruction.vertices, truth.vertices, atol=1e-4)
