"""The diagnostics of a job: complete, and without personal data."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from ThyroidSynthLib import __version__
from ThyroidSynthLib.jobs import diagnostics
from ThyroidSynthLib.jobs.diagnostics import diagnostics_text, without_personal_names
from ThyroidSynthLib.jobs.job import JobFolder, JobState
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for
from ThyroidSynthLib.jobs.machine import Gpu, Machine

MACHINE = Machine(8, 32 * 1024**3, 20 * 1024**3, "2.5.1+cu124", "12.4", (Gpu("RTX 4090", 24 * 1024**3, 6 * 1024**3),))


@pytest.fixture
def job(tmp_path: Path, monkeypatch) -> JobFolder:
    monkeypatch.setattr(getpass, "getuser", lambda: "jdoe")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/jdoe"))
    folder = tmp_path / "Jane Doe's files" / "goitre job"
    (tmp_path / "Jane Doe's files" / "patients").mkdir(parents=True)
    job = job_for(folder, JobOptions(input=tmp_path / "Jane Doe's files" / "patients", exclude=("s1",)))
    job.write_config({**job.read_config(), "held_out": ["s1"], "held_out_ids": ["s1"]})
    job.write_state(JobState(status="failed", message=f"{folder}/cohort is damaged.", host="jdoe-laptop", pid=42))
    job.log_file.write_text("".join(f"line {number}\n" for number in range(100)) + f"at {folder}/x.py of jdoe\n")
    return job


def test_diagnostics_hold_versions_hardware_state_settings_and_log(job: JobFolder) -> None:
    text = diagnostics_text(application={"Slicer": "5.12.4 (r1)"}, machine=MACHINE, job=job, last_error="Nothing.")

    for expected in (
        f"ThyroidSynth: {__version__}",
        "Slicer: 5.12.4 (r1)",
        "PyTorch: 2.5.1+cu124",
        "CUDA: 12.4",
        "GPU 0: RTX 4090, 24.0 GiB, 6.0 GiB free",
        "Memory: 32.0 GiB, 20.0 GiB free",
        "job folder: goitre job",
        "status: failed",
        "device: auto",
        "manually excluded cases: 1",
        "held out cases: 1",
        '"preset": "best"',
        "line 99",
        "[Last error]\nNothing.",
    ):
        assert expected in text, expected
    assert "line 50" not in text, "only the log's end"


def test_diagnostics_hold_no_paths_and_no_names_of_people_or_computers(job: JobFolder) -> None:
    text = diagnostics_text(application={}, machine=MACHINE, job=job, last_error=f"{job.path}/state.json is lost")

    assert str(job.path.parent) not in text
    for personal in ("Jane", "jdoe", "s1'", '"s1"', "/tmp", str(job.path.parents[1])):
        assert personal not in text, personal
    assert "…/state.json is lost" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No /home/jdoe/data/My Cases/s1.nii.gz here.", "No …/s1.nii.gz here."),
        (r"C:\Users\Jane Doe\job\cohort is damaged", "…/cohort is damaged"),
        (r"\\server\share\jdoe\cohort is damaged", "…/cohort is damaged"),
        ('"/home/jdoe/a/b"', '"…/b"'),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("12/40 and 3 / 4", "12/40 and 3 / 4"),
        ("run by jdoe.", "run by (user)."),
    ],
)
def test_only_the_last_name_of_a_path_is_kept(job: JobFolder, text: str, expected: str) -> None:
    assert without_personal_names(text) == expected


def test_a_damaged_or_missing_job_still_gives_diagnostics(tmp_path: Path, job: JobFolder) -> None:
    job.state_file.write_text("{")
    job.config_file.write_text("[]")
    job.log_file.unlink()

    text = diagnostics_text(application={}, machine=None, job=job)

    assert "unreadable" in text and "no log" in text and "[Last error]\nnone" in text
    assert "[Training]" not in diagnostics_text(application={}, machine=None, job=JobFolder(tmp_path / "none"))
    assert diagnostics.diagnostics_text(application={}, machine=None, job=None).startswith("ThyroidSynth diagnostics")
