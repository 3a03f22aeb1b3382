"""The folder of a cohort: which preparation it belongs to, and the removal of an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.common.files import read_json, unwritable, write_json

from .case_preparation import CASES_FOLDER
from .cohort import COHORT_FILE, FORMAT, SAMPLES_FILE, SURFACES_FOLDER
from .quality_table import QUALITY_FILE
from .sample_rows import LEDGER_FILE

PLAN_FILE = "prepare.json"
_PLAN_FORMAT = "thyroidsynth preparation"


def claim_folder(folder: Path, plan: Mapping[str, Any], *, overwrite: bool) -> None:
    """Reserve a cohort folder for a preparation.

    Parameters
    ----------
    plan : mapping
        The source and the options; a preparation with the same ones is resumed.
    overwrite : bool
        Whether a cohort that was prepared with others is replaced.

    Raises
    ------
    CohortError
        The folder holds a cohort of another source or other options, and `overwrite` is not set.
    OutputError
        The folder holds other files, or cannot be written.
    """
    plan = {"format": _PLAN_FORMAT, **plan}
    found = next((path for path in (folder / PLAN_FILE, folder / COHORT_FILE) if path.is_file()), None)
    if found is not None:
        before = read_json(found)
        if not isinstance(before, dict) or before.get("format") not in (_PLAN_FORMAT, FORMAT):
            raise OutputError(f"{found} is not a file of ThyroidSynth. Choose a new or empty folder.")
        differing = [name for name in plan if before.get(name) != plan[name]]
        if not differing:
            return
        if not overwrite:
            # A cohort of surfaces has no plan, so its cohort.json is compared.
            names = [name for name in differing if name in before and name != "format"]
            changes = [f"{name} was {before[name]}, now {plan[name]}" for name in names]
            raise CohortError(
                f"{folder} holds a cohort prepared with other options ({'; '.join(changes) or 'unknown'}). "
                "Choose another folder, or allow it to be overwritten."
            )
        _clear(folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} holds files that are not a cohort. Choose a new or empty folder.")
    try:
        write_json(folder / PLAN_FILE, plan)
    except OSError as error:
        raise unwritable(folder, error) from error


def _clear(folder: Path) -> None:
    """Remove the files of a preparation, and no others."""
    documents = [folder / COHORT_FILE, *(folder / CASES_FOLDER).glob("*.json")]
    entries = {path: _entries(path) for path in documents}
    # cohort.json goes first: without it the folder is not a cohort, even if the rest is interrupted.
    for name in (COHORT_FILE, SAMPLES_FILE, LEDGER_FILE, QUALITY_FILE):
        (folder / name).unlink(missing_ok=True)
    for path, found in entries.items():
        for entry in found:
            (folder / SURFACES_FOLDER / f"{Path(entry['id']).name}.ply").unlink(missing_ok=True)
        if found:
            path.unlink(missing_ok=True)


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return the cases that ``cohort.json`` or the record of a case describes; none if it is a file of another kind."""
    try:
        document = read_json(path)
        found = document["cases"] if path.name == COHORT_FILE else [document]
        return [entry for entry in found if isinstance(entry["id"], str) and entry.keys() & {"shape", "surface"}]
    except (InputError, KeyError, TypeError):
        return []
