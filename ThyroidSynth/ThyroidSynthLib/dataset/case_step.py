"""The first half of preparation: one case read, judged, centred and measured, and remembered on the disk."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json, sha256_of, write_json
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.surface import Surface

from .cases import CaseSource, read_case
from .cohort_writing import store_surface
from .quality import QualityMeasurements, QualityRules, QualityVerdict, check_case

CASES_FOLDER = "cases"
_STEP_VERSION = 2  # Raise when a case comes out differently, so that no old record is taken over.

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseTask:
    """A case to prepare.

    Attributes
    ----------
    source : CaseSource
        Its files.
    folder : str
        The cohort folder.
    rules : QualityRules
        What is asked of it.
    alignment : str
        How it is laid in the trachea frame.
    """

    source: CaseSource
    folder: str
    rules: QualityRules
    alignment: str


@dataclass(frozen=True)
class CaseShape:
    """What was measured of a case's gland in `trachea_mm`.

    Attributes
    ----------
    features : dict of str to float
        By name.
    trachea_to_ras : list
        `Placement.trachea_to_ras` as plain lists.
    box_mm : list
        Lower and upper corner of the surface's box.
    surface, surface_sha256 : str
        Surface file relative to the cohort folder, and its checksum.
    """

    features: dict[str, float]
    trachea_to_ras: list[list[float]]
    box_mm: list[list[float]]
    surface: str
    surface_sha256: str


@dataclass(frozen=True)
class CaseRecord:
    """What became of a case in the first half of preparation.

    Attributes
    ----------
    id : str
        The case.
    source : dict
        Kind and files it was read from.
    verdict : QualityVerdict
        Of quality control, without arrays.
    shape : CaseShape, optional
        None where there is no gland or no trachea to centre it on.
    error : str
        Why the case could not be read; empty if it could.
    reused : bool
        Whether it was taken over from an earlier attempt.
    """

    id: str
    source: dict[str, Any]
    verdict: QualityVerdict
    shape: CaseShape | None = None
    error: str = ""
    reused: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the case goes into the cohort."""
        return self.verdict.accepted and self.shape is not None


def prepare_case(task: CaseTask) -> CaseRecord:
    """Read, judge, centre and measure a case, unless that has been done with the same files and rules.

    A case that cannot be read becomes a record that says why: one bad case never stops the rest. It is
    tried again each time, because what was wrong may have been the disk.
    """
    folder = Path(task.folder)
    path = folder / CASES_FOLDER / f"{task.source.id}.json"
    try:
        signature = _signature(task)
        known = _known(folder, path, signature)
        if known is not None:
            return known
        verdict, placement, surface = _judge_and_place(task)
    except ThyroidSynthError as error:
        return unreadable_case(task, str(error))
    except Exception as error:
        _log.exception("Case %s", task.source.id)
        return unreadable_case(task, f"unexpected {type(error).__name__}: {error}")
    shape = None if surface is None or placement is None else _store(folder, task.source.id, placement, surface)
    record = CaseRecord(task.source.id, _described(task.source), verdict, shape)
    write_json(
        path,
        {
            "signature": signature,
            "id": record.id,
            "source": record.source,
            "verdict": verdict.to_json(),
            "shape": None if shape is None else asdict(shape),
        },
    )
    return record


def unreadable_case(task: CaseTask, error: str) -> CaseRecord:
    """Make the record of a case that could not be read."""
    verdict = QualityVerdict(False, (), (), QualityMeasurements())
    return CaseRecord(task.source.id, _described(task.source), verdict, error=error)


def _judge_and_place(task: CaseTask) -> tuple[QualityVerdict, Placement | None, Surface | None]:
    case = read_case(task.source)
    verdict = check_case(case, task.rules)
    placement = verdict.cleaned.placement(task.alignment) if verdict.can_be_included else None
    surface = verdict.surface_ras
    return replace(verdict, cleaned=None, without_islands=None, surface_ras=None), placement, surface


def _store(folder: Path, case_id: str, placement: Placement, surface_ras: Surface) -> CaseShape:
    centred = surface_ras.moved(placement.to_trachea(surface_ras.vertices))
    kept, name, digest = store_surface(folder, case_id, centred)
    return CaseShape(
        features=measure_features(kept).as_dict(),
        trachea_to_ras=placement.trachea_to_ras.tolist(),
        box_mm=[corner.tolist() for corner in kept.bounds],
        surface=name,
        surface_sha256=digest,
    )


def _known(folder: Path, path: Path, signature: str) -> CaseRecord | None:
    """Take over the record of an earlier attempt if everything it came from is unchanged."""
    if not path.is_file():
        return None
    try:
        stored = read_json(path)
        if stored["signature"] != signature:
            return None
        shape = None if stored["shape"] is None else CaseShape(**stored["shape"])
        verdict = QualityVerdict.from_json(stored["verdict"])
    except (InputError, KeyError, TypeError):
        return None
    if shape is not None:
        surface = folder / shape.surface
        if not surface.is_file() or sha256_of(surface) != shape.surface_sha256:
            return None
    return CaseRecord(stored["id"], stored["source"], verdict, shape, reused=True)


def _signature(task: CaseTask) -> str:
    """Sum up what a case's record depends on."""
    files = []
    for path in task.source.files:
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}). Check that it exists.") from error
        files.append([str(path), status.st_size, status.st_mtime_ns])
    depends_on = [_STEP_VERSION, task.source.kind, task.source.class_map, files, asdict(task.rules), task.alignment]
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()


def _described(source: CaseSource) -> dict[str, Any]:
    return {
        "kind": source.kind,
        "files": [str(path) for path in source.files],
        "ct": None if source.ct_path is None else str(source.ct_path),
        "class_map": source.class_map,
    }
