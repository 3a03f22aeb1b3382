"""The state of the chosen job, and what the user wants of it."""

from __future__ import annotations

from dataclasses import dataclass

from ThyroidSynthLib.jobs.job import JobState


@dataclass(frozen=True)
class JobStatus:
    """State of the chosen job (None without one).

    Attributes
    ----------
    restart : bool
        Whether the user wants to start it from scratch.
    locked : bool
        Whether the training has begun and goes on, so that its settings are those of the job.
    """

    state: JobState | None = None
    runs: bool = False
    restart: bool = False
    locked: bool = False
    seconds_per_epoch: float | None = None
