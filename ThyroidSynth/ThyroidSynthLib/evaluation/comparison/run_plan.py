"""The file with the options of an experiment of many trainings, by which it is resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import JobError, OutputError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.staging import files_of_others

PLAN_FILE = "plan.json"


def differing(earlier: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """Return how the options of a plan differ from those of an earlier one."""
    changed = (name for name, value in plan.items() if earlier.get(name) != value)
    return [f"its {name} is {earlier.get(name)}, not {plan[name]}" for name in changed]


def claim_plan(
    folder: Path,
    plan: Mapping[str, Any],
    differences: Callable[[Mapping[str, Any], Mapping[str, Any]], list[str]] = differing,
) -> None:
    """Write a plan into a folder, or check that an experiment which was begun there has the same one.

    Parameters
    ----------
    folder : Path
        Of this experiment, or without files of others.
    plan : mapping
        Its "kind" is the name of the experiment.
    differences : callable
        Returns the differences of the plan from the earlier one, its first argument, as texts.

    Raises
    ------
    OutputError
        The folder holds something else.
    JobError
        The folder holds such an experiment with other options.
    """
    path, kind = folder / PLAN_FILE, plan["kind"]
    if not path.is_file():
        if files_of_others(folder):
            raise OutputError(f"{folder} holds other files and no {kind}. Choose a new or empty folder.")
        write_json(path, plan)
        return
    earlier = read_json(path)
    if not isinstance(earlier, dict) or earlier.get("kind") != kind:
        raise OutputError(f"{path} does not belong to a {kind}. Choose a new or empty folder.")
    if found := differences(earlier, plan):
        raise JobError(
            f"{folder} holds a {kind} with other options: {'; '.join(found)}. Use its options, or choose another "
            "folder."
        )
