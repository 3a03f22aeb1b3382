"""The GitHub workflows call targets that exist, and their actions have pinned versions."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
WORKFLOWS = [path.read_text(encoding="utf-8") for path in (PROJECT / ".github" / "workflows").glob("*.yml")]


def test_every_action_is_pinned_to_a_full_version() -> None:
    actions = [action for text in WORKFLOWS for action in re.findall(r"uses: (\S+)", text)]

    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action), action


def test_every_target_and_script_that_is_called_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    called = [name for text in WORKFLOWS for name in re.findall(r"run: make (\S+)", text)]
    files = [name for text in WORKFLOWS for name in re.findall(r"\b((?:scripts|requirements)/[\w./]+)", text)]

    assert called and set(called) <= set(targets)
    assert files and all((PROJECT / name).is_file() for name in files)
