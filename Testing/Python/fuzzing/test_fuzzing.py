"""Bad inputs made by the fuzz test: each is refused with file, fault and remedy, and nothing else happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name == "nt", reason="trials run in forked processes")
def test_bad_inputs_are_refused_with_file_fault_and_remedy(tmp_path: Path) -> None:
    """A process of its own, because a process that forks must not have threads. `make fuzz` tries more."""
    counts = tmp_path / "counts.json"
    command = [sys.executable, str(TESTING / "fuzzing" / "run.py"), "--count", "600", "--json", str(counts)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(counts.read_text())
    assert found["clear"] >= 500 and sum(found.values()) == 600
