"""Prepare one case: read it, check it, store its surface in the trachea frame, and keep a record of it."""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json, sha256_of, write_json
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.rigid.lying import OnTrachea
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.labels import TRACHEA
from ThyroidSynthLib.imaging.segmentations.given_labels import labels_of_dataset_beside

from .case_sources import CaseSource, labels_of_structures
from .cases import read_case
from .cohort_writing import StoredShape, store_shape
from .organs.organ_shapes import OrganShape, organ_in_scan, store_organ
from .organs.reading import organ_masks
from .quality import CheckedCase, QualityMeasurements, QualityRules, QualityVerdict, check_case

CASES_FOLDER = "cases"
_STEP_VERSION = 5  # Increase when the result for a case changes, so that no old record is reused.


@dataclass(frozen=True)
class CaseTask:
    """A case to prepare in a cohort folder, with its alignment in the trachea frame (one of `frame.ALIGNMENTS`).

    `organs` are the names of those that are prepared beside the thyroid, as `organs.checked_names` returns them.
    """

    source: CaseSource
    folder: Path
    rules: QualityRules
    alignment: str
    organs: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseRecord:
    """The result of preparing a case.

    Attributes
    ----------
    source : dict
        Kind and files it was read from.
    shape : StoredShape, optional
        Its shape; None without a thyroid or a trachea.
    organs : mapping of str to OrganShape
        Those organs beside the thyroid that it has near the gland, by name.
    error : str
        Why the case could not be read; empty if it could.
    reused : bool
        Whether the record of an earlier run was reused.
    details : str
        The traceback of an unforeseen error, for the log.
    """

    id: str
    source: dict[str, Any]
    verdict: QualityVerdict
    shape: StoredShape | None = None
    organs: Mapping[str, OrganShape] = field(default_factory=dict)
    error: str = ""
    reused: bool = False
    details: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the case belongs to the cohort."""
        return self.verdict.accepted and self.shape is not None


def prepare_case(task: CaseTask) -> CaseRecord:
    """Read, check and measure a case, unless that has been done with the same files and rules.

    For a case that cannot be read the record says why, so that it does not stop the others, whatever its files raise.
    Such a case is tried again in each run, because the cause may have been temporary.

    Raises
    ------
    OutputError
        The cohort folder cannot be written.
    """
    path = task.folder / CASES_FOLDER / f"{task.source.id}.json"
    try:
        signature = _signature(task)
        earlier = _earlier_record(task.folder, path, signature)
        if earlier is not None:
            return earlier
        checked = check_case(read_case(task.source), task.rules)
        placement = checked.cleaned.placement(task.alignment) if checked.can_be_included else None
        surface, lying = None, None
        if placement is not None and checked.surface_ras is not None:
            surface = checked.surface_ras.moved(placement.to_trachea(checked.surface_ras.vertices))
            trachea = checked.cleaned.trachea_mask
            lying = OnTrachea.measured(surface, trachea.volume, trachea.scan, placement)
        organs = {} if surface is None or placement is None else _organs(task, checked, placement, surface)
    except ThyroidSynthError as error:
        return unreadable_case(task, str(error))
    except Exception as error:  # A damaged file can raise anything, and must not cost the other cases.
        return unreadable_case(task, _unforeseen(task.source, error), traceback.format_exc())
    shape = None
    if surface is not None and placement is not None:
        shape = store_shape(task.folder, task.source.id, surface, placement, trachea=lying)
    stored = {name: store_organ(task.folder, name, task.source.id, *found) for name, found in organs.items()}
    record = CaseRecord(task.source.id, task.source.to_json(), checked.verdict(), shape, stored)
    write_json(
        path,
        {
            "signature": signature,
            "id": record.id,
            "source": record.source,
            "verdict": asdict(record.verdict),
            "shape": None if shape is None else asdict(shape),
            "organs": {name: asdict(organ) for name, organ in stored.items()},
        },
    )
    return record


def _organs(
    task: CaseTask, checked: CheckedCase, placement: Placement, gland: Surface
) -> dict[str, tuple[Surface, Grid]]:
    """Return the surfaces of a case's organs near the gland, each with the part of the scan in which it is known."""
    if not task.organs:
        return {}
    masks = organ_masks(task.source, [name for name in task.organs if name != TRACHEA.name])
    if TRACHEA.name in task.organs:
        masks[TRACHEA.name] = checked.cleaned.trachea_mask
    near = {name: organ_in_scan(mask, placement, np.array(gland.bounds)) for name, mask in masks.items()}
    return {name: found for name, found in near.items() if found is not None}


def recorded_source(folder: Path, case_id: str) -> CaseSource | None:
    """Return the files that a case was read from, by the records in a cohort folder.

    None if the case could not be read, or is not made of segmentations. `InputError` if the record is damaged.
    """
    path = folder / CASES_FOLDER / f"{case_id}.json"
    if not path.is_file():
        return None
    try:
        return CaseSource.from_json(case_id, read_json(path)["source"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged. Check or prepare the cases again.") from error


def unreadable_case(task: CaseTask, error: str, details: str = "") -> CaseRecord:
    """Return the record of a case that could not be read."""
    verdict = QualityVerdict(False, (), (), QualityMeasurements())
    return CaseRecord(task.source.id, task.source.to_json(), verdict, error=error, details=details)


def lost_case(task: CaseTask) -> CaseRecord:
    """Return the record of a case whose worker process ended unexpectedly."""
    files = _listed(task.source)
    return unreadable_case(
        task,
        f"{files}: the process that read the case ended, probably because it used too much memory. "
        "Use fewer workers (--workers 1), crop the scan, or export the segmentation again.",
    )


def _unforeseen(source: CaseSource, error: Exception) -> str:
    if isinstance(error, MemoryError):
        return (
            f"{_listed(source)}: reading the case takes more memory than is free. Close other programs, use fewer "
            "workers (--workers 1), or crop the scan."
        )
    return (
        f"{_listed(source)} cannot be read as the segmentation of a case: a file is damaged or of an unknown form. "
        "Export the segmentation again. --debug shows the details."
    )


def _listed(source: CaseSource) -> str:
    return ", ".join(map(str, source.files))


def _earlier_record(folder: Path, path: Path, signature: str) -> CaseRecord | None:
    """Read the record of an earlier run; None if there is none or anything it depends on has changed."""
    if not path.is_file():
        return None
    try:
        stored = read_json(path)
        if stored["signature"] != signature:
            return None
        shape = None if stored["shape"] is None else StoredShape(**stored["shape"])
        verdict = QualityVerdict.from_json(stored["verdict"])
        organs = {name: OrganShape(**organ) for name, organ in stored.get("organs", {}).items()}
    except Exception:  # A damaged record can raise anything; it is written anew.
        return None
    stored_surfaces = [] if shape is None else [(shape.surface, shape.surface_sha256)]
    stored_surfaces += [(organ.surface, organ.surface_sha256) for organ in organs.values()]
    for name, checksum in stored_surfaces:
        if not (folder / name).is_file() or sha256_of(folder / name) != checksum:
            return None
    return CaseRecord(stored["id"], stored["source"], verdict, shape, organs, reused=True)


def _signature(task: CaseTask) -> str:
    """Return a checksum of everything on which the record of a case depends."""
    source = task.source
    labels = labels_of_structures(source.labels)
    used = [*source.files]
    if source.labels_path is not None and source.kind == "labels" and labels is None:
        beside = labels_of_dataset_beside(source.labels_path)
        used += [] if beside is None else [beside[0]]
    elif source.labels_path is not None and source.kind == "contours":
        # The images that contours were drawn on are searched here; a folder changes when files are added to it.
        used += source.labels_path.parents[:2]
    depends_on: list[Any] = [_STEP_VERSION, source.kind, labels, [_state(path) for path in used], asdict(task.rules)]
    depends_on += [task.alignment, *_organ_files(task)]
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()


def _organ_files(task: CaseTask) -> list[Any]:
    """Return what the organs of a case depend on: their names, the given labels, and the folders of their masks."""
    if not task.organs:
        return []
    # Masks of organs are searched in these folders, which change when files are added or replaced.
    folders = {path.parent for path in task.source.files} if task.source.labels_path is None else set()
    files = [path for folder in sorted(folders) for path in sorted(folder.iterdir()) if path.is_file()]
    labels = {str(number): name for number, name in (task.source.labels or {}).items()}
    return [list(task.organs), labels, [_state(path) for path in files]]


def _state(path: Path) -> list[Any]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check that it exists.") from error
    return [str(path), status.st_size, status.st_mtime_ns]
