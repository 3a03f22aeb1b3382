"""The user's recent trainings, stored in Slicer's settings so that they can be found from any scene."""

from __future__ import annotations

import json
from pathlib import Path

import slicer

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.jobs.job import JobFolder, JobState

_KEY = "ThyroidSynth/RecentJobs"
_MAX_JOBS = 8


def recentJobs() -> list[tuple[JobFolder, JobState]]:
    """Return the recent jobs that still exist and their states, latest first."""
    jobs = []
    for path in _paths():
        job = JobFolder(path)
        try:
            if job.exists():
                jobs.append((job, job.read_state()))
        except (ThyroidSynthError, OSError):
            continue
    return jobs


def rememberJob(folder: Path) -> None:
    """Add a job folder to the recent ones."""
    path = str(folder.resolve())
    paths = [path, *(other for other in _paths() if other != path)]
    slicer.app.userSettings().setValue(_KEY, json.dumps(paths[:_MAX_JOBS]))


def _paths() -> list[str]:
    # Stored as JSON, because QSettings returns a list of one string as a string.
    paths: list[str] = json.loads(slicer.app.userSettings().value(_KEY) or "[]")
    return paths
