"""Commands that are killed or started twice; `make robustness` does so many times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Robustness" / "run.py"


@pytest.mark.skipif(sys.platform != "linux", reason="forks processes and reads /proc")
@pytest.mark.parametrize(("command", "kills"), [("prepare", 2), ("generate", 3)])
def test_nothing_is_lost_or_left_when_a_command_is_killed_or_started_twice(command: str, kills: int) -> None:
    numbers = ["--commands", command, "--kills", str(kills), "--pairs", "1"]
    found = subprocess.run([sys.executable, str(SCRIPT), *numbers], capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{command} (" in found.stdout and found.stdout.endswith("No faults.\n")
