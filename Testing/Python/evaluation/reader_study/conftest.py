"""A reader study of ellipsoids."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.evaluation.reader_study import Candidate, StudyPlan, create_study

REAL, SYNTHETIC = 6, 4


def candidate(kind: str, number: int) -> Candidate:
    surface = two_lobes(semi_axes_mm=(9.0, 8.0, 14.0 + number), offset_mm=9.0, right_share=0.9)
    return Candidate(kind, f"{kind} {number}", lambda: surface, {"number": number})


@pytest.fixture(scope="session")
def candidates() -> list[Candidate]:
    return [candidate("real", n) for n in range(REAL)] + [candidate("synthetic", n) for n in range(SYNTHETIC)]


@pytest.fixture
def plan(tmp_path: Path, candidates: list[Candidate]) -> StudyPlan:
    return create_study(tmp_path / "study", candidates, seed=7, repeat_share=0.5)
