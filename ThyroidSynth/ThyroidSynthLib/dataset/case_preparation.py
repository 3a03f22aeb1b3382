"""Prepare one case: read it, check it, store its surface in the trachea frame, and keep a record of it."""

from __future__ import annotations

import hashlib
import json
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json, sha256_of, write_json
from ThyroidSynthLib.imaging.segmentations.given_labels import labels_of_dataset_beside

from .case_sources import CaseSource, labels_of_structures
from .cases import read_case
from .cohort_writing import StoredShape, store_shape
from .quality import QualityMeasurements, QualityRules, QualityVerdict, check_case

CASES_FOLDER = "cases"
_STEP_VERSION = 4  # Increase when the result for a case changes, so that no old record is reused.


@dataclass(frozen=True)
class CaseTask:
    """A case to prepare in a cohort folder, with its alignment in the trachea frame (one of `frame.ALIGNMENTS`)."""

    source: CaseSource
    folder: Path
    rules: QualityRules
    alignment: str


@dataclass(frozen=True)
class CaseRecord:
    """The result of preparing a case.

    Attributes
    ----------
    source : dict
        Kind and files it was read from.
    shape : StoredShape, optional
        Its shape; None without a thyroid or a trachea.
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
        surface = None
        if placement is not None and checked.surface_ras is not None:
            surface = checked.surface_ras.moved(placement.to_trachea(checked.surface_ras.vertices))
    except ThyroidSynthError as error:
        return unreadable_case(task, str(error))
    except Exception as error:  # A damaged file can raise anything, and must not cost the other cases.
        return unreadable_case(task, _unforeseen(task.source, error), traceback.format_exc())
    shape = None
    if surface is not None and placement is not None:
        shape = store_shape(task.folder, task.source.id, surface, placement)
    record = CaseRecord(task.source.id, task.source.to_json(), checked.verdict(), shape)
    write_json(
        path,
        {
            "signature": signature,
            "id": record.id,
            "source": record.source,
            "verdict": asdict(record.verdict),
            "shape": None if shape is None else asdict(shape),
        },
    )
    return record


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
    except Exception:  # A damaged record can raise anything; it is written anew.
        return None
    if shape is not None:
        surface = folder / shape.surface
        if not surface.is_file() or sha256_of(surface) != shape.surface_sha256:
            return None
    return CaseRecord(stored["id"], stored["source"], verdict, shape, reused=True)


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
    depends_on = [_STEP_VERSION, source.kind, labels, [_state(path) for path in used], asdict(task.rules)]
    return hashlib.sha256(json.dumps([*depends_on, task.alignment]).encode()).hexdigest()


def _state(path: Path) -> list[Any]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check that it exists.") from error
    return [str(path), status.st_size, status.st_mtime_ns]
