"""The folder of a cohort: which preparation it belongs to, and the replacement of an earlier one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.common.files import read_json, remove_partial_files, unwritable, write_json
from ThyroidSynthLib.common.staging import discard_staging, files_of_others, make_staging, output_folder, publish

from .case_preparation import CASES_FOLDER
from .cohort import COHORT_FILE, FORMAT, SAMPLES_FILE, SURFACES_FOLDER
from .organs.organ_shapes import ORGANS_FOLDER
from .quality_table import QUALITY_FILE
from .sample_rows import LEDGER_FILE

PLAN_FILE = "prepare.json"
_PLAN_FORMAT = "thyroidsynth preparation"
# Entries of a plan that not all have.
_OPTIONAL = {"organs"}


@contextmanager
def claimed_folder(folder: Path, plan: Mapping[str, Any], *, overwrite: bool) -> Iterator[Path]:
    """Own a cohort folder during a preparation.

    Yields the folder to prepare in: `folder` itself or, while it holds a cohort of another source or other options, a
    folder beside it that takes its place when the block ends. If the block raises, the same preparation resumes there.

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
        The folder holds other files, or cannot be written, or another process writes to it.
    """
    plan = {"format": _PLAN_FORMAT, **plan}
    with output_folder(folder, resumes=lambda staging: overwrite and _has_plan(staging, plan)):
        try:
            if _is_other_cohort(folder, plan, overwrite=overwrite):
                target = make_staging(folder)
            else:
                discard_staging(folder)
                target = folder
            for path in (
                SURFACES_FOLDER,
                CASES_FOLDER,
                *(f"{ORGANS_FOLDER}/{name}/{SURFACES_FOLDER}" for name in plan.get("organs", ())),
            ):
                remove_partial_files(target / path)
            if not _has_plan(target, plan):
                write_json(target / PLAN_FILE, plan)
            yield target
            if target != folder:
                last = COHORT_FILE if (target / COHORT_FILE).is_file() else PLAN_FILE
                publish(folder, last=last, earlier=_files(folder))
        except OSError as error:
            raise unwritable(folder, error) from error


def _has_plan(folder: Path, plan: Mapping[str, Any]) -> bool:
    try:
        return read_json(folder / PLAN_FILE) == plan
    except InputError:
        return False


def _is_other_cohort(folder: Path, plan: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Return whether the folder holds a cohort that is to be replaced; raise an error if it must not be."""
    found = next((path for path in (folder / PLAN_FILE, folder / COHORT_FILE) if path.is_file()), None)
    if found is None:
        if files_of_others(folder):
            raise OutputError(f"{folder} holds files that are not a cohort. Choose a new or empty folder.")
        return False
    before = read_json(found)
    if not isinstance(before, dict) or before.get("format") not in (_PLAN_FORMAT, FORMAT):
        raise OutputError(f"{found} is not a file of ThyroidSynth. Choose a new or empty folder.")
    differing = [name for name in (*plan, *before.keys() & _OPTIONAL) if before.get(name) != plan.get(name)]
    if differing and not overwrite:
        # A cohort of surfaces has no plan, so its cohort.json is compared.
        names = [name for name in differing if name in before and name != "format"]
        changes = [f"{name} was {before[name]}, now {plan.get(name, 'none')}" for name in names]
        raise CohortError(
            f"{folder} holds a cohort prepared with other options ({'; '.join(changes) or 'unknown'}). "
            "Choose another folder, or replace the cohort with --overwrite."
        )
    return bool(differing)


def _files(folder: Path) -> list[Path]:
    """Return the files of a preparation, and no others."""
    records = sorted((folder / CASES_FOLDER).glob("*.json"))
    entries = {path: _entries(path) for path in (folder / COHORT_FILE, *records)}
    surfaces = {f"{Path(entry['id']).name}.ply" for found in entries.values() for entry in found}
    return [
        *(folder / name for name in (COHORT_FILE, PLAN_FILE, SAMPLES_FILE, LEDGER_FILE, QUALITY_FILE)),
        *(folder / SURFACES_FOLDER / name for name in sorted(surfaces)),
        *(path for path in records if entries[path]),
        *_files_of_organs(folder, entries),
    ]


def _files_of_organs(folder: Path, entries: Mapping[Path, list[dict[str, Any]]]) -> list[Path]:
    """Return the files of the organs that the records and the plan of a preparation name, and no others."""
    try:
        names = {str(name) for name in read_json(folder / PLAN_FILE).get("organs", ())}
    except (InputError, AttributeError, TypeError):
        return []
    folders = [folder / ORGANS_FOLDER / name for name in sorted(names) if Path(name).name == name]
    ids = sorted({Path(entry["id"]).name for found in entries.values() for entry in found})
    return [
        *(each / name for each in folders for name in (SAMPLES_FILE, LEDGER_FILE)),
        *(each / SURFACES_FOLDER / f"{case_id}.ply" for each in folders for case_id in ids),
    ]


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return the cases that ``cohort.json`` or the record of a case describes; none if it is a file of another kind."""
    try:
        document = read_json(path)
        found = document["cases"] if path.name == COHORT_FILE else [document]
        return [entry for entry in found if isinstance(entry["id"], str) and entry.keys() & {"shape", "surface"}]
    except (InputError, KeyError, TypeError):
        return []
