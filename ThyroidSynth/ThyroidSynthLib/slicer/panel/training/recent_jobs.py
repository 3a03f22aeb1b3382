"""The user's recent trainings, remembered in Slicer's settings: a training is found again in any scene."""

from __future__ import annotations

import json
from pathlib import Path

import slicer

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.jobs.job import JobFolder, JobState

_KEY = "ThyroidSynth/RecentJobs"
_MOST = 8


def recentJobs() -> list[tuple[JobFolder, JobState]]:
    """Give the recent jobs that are still there, with their states, the latest first."""
    found = []
    for path in _paths():
        job = JobFolder(path)
        try:
            if job.exists():
                found.append((job, job.read_state()))
        except (ThyroidSynthError, OSError):
            continue
    return found


def rememberJob(folder: Path) -> None:
    """Put a job's folder first among the recent ones."""
    path = str(folder.resolve())
    paths = [path, *(other for other in _paths() if other != path)]
    slicer.app.userSettings().setValue(_KEY, json.dumps(paths[:_MOST]))


def _paths() -> list[str]:
    # As one text: Qt's settings give a list of one back as its only member.
    try:
        paths = json.loads(slicer.app.userSettings().value(_KEY) or "[]")
    except (TypeError, ValueError):
        return []
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
