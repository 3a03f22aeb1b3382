"""Prepare the published set as a cohort, with its samples as they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.common.files import absolute_path
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.common.results import check_outside
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.common.workers import Workers
from ThyroidSynthLib.dataset.case_preparation import CaseRecord
from ThyroidSynthLib.dataset.case_sources import FoundCases
from ThyroidSynthLib.dataset.cohort import COHORT_FILE
from ThyroidSynthLib.dataset.cohort_folder import claimed_folder
from ThyroidSynthLib.dataset.cohort_writing import Member, StoredShape, store_shape, write_cohort
from ThyroidSynthLib.dataset.prepare import PreparationSummary, earlier_ids, summary_of
from ThyroidSynthLib.dataset.quality import NOT_WATERTIGHT, QualityMeasurements, QualityRules, QualityVerdict
from ThyroidSynthLib.dataset.quality_table import QUALITY_FILE, write_quality_table
from ThyroidSynthLib.dataset.sample_rows import GivenSamples
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.surface import Surface

from .published_set import PublishedSet, open_published_set
from .units import UNKNOWN_SCALE_NOTE, Units

ALIGNMENT = "trachea"
"""The alignment of the published set, see `geometry.frame.ALIGNMENTS`."""

_READING_SHARE, _STORING_SHARE = 0.2, 0.7
# A feature of the table that differs from the measured one by more than this share of the set's range, and at all by
# this share of itself, is of another shape.
_AGREES_RANGE, _AGREES_SHARE = 0.02, 0.05


@dataclass(frozen=True)
class AuthorsOptions:
    """The options of a preparation of the published set.

    Attributes
    ----------
    scale_mm : three lengths, "published" or None
        Millimetres per unit along the set's three axes, if they are known; see `Units.of_set`.
    include, exclude : tuple of str
        Ids of cases that are included although their surface is not closed, or left out.
    overwrite : bool
        Whether a cohort that was prepared with other options may be replaced.
    """

    scale_mm: tuple[float, float, float] | Literal["published"] | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overwrite: bool = False


def prepare_authors_set(
    source: Path | str,
    folder: Path | str,
    options: AuthorsOptions = AuthorsOptions(),
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> PreparationSummary:
    """Prepare the published set as a cohort in the alignment "trachea".

    The features are those measured on the surfaces, as everywhere. Those of ``features.csv`` are joined by id, stored
    beside them, and a note names the cases in which the two differ. Cases that cannot be read, or have no closed
    surface, are left out with the reason in ``quality.csv``.

    Parameters
    ----------
    source : path-like
        The folder of the set, as downloaded and unpacked, or one above it.
    folder : path-like
        The cohort folder: new, empty, or of an earlier preparation of the same set.

    Raises
    ------
    InputError
        The folder does not hold the set, its table is damaged, a case to exclude is not in it, or the scale is not
        possible.
    CohortError
        No case can be used, or the folder holds another cohort.
    OutputError
        The folder holds other files, or the disk is full.
    Cancelled
        `should_stop` returned true.
    """
    began = time.monotonic()
    folder = Path(folder)
    found = open_published_set(absolute_path(source))
    unknown = sorted({*options.include, *options.exclude} - set(found.ids))
    if unknown:
        raise InputError(f"There is no case {', '.join(unknown)} among the {len(found.ids)} of the set. Check the ids.")
    both = sorted(set(options.include) & set(options.exclude))
    if both:
        raise InputError(f"{', '.join(both)} cannot be both included and excluded. Choose one.")
    check_outside(folder, [found.folder])
    scale = options.scale_mm
    plan = {
        "kind": "authors",
        "source": str(found.folder),
        "authors_scale_mm": scale if isinstance(scale, str | None) else list(scale),
    }
    with claimed_folder(folder, plan, overwrite=options.overwrite) as target:
        earlier = earlier_ids(target)
        surfaces, faults = _boxes(found, options.exclude, part_of(progress, 0, _READING_SHARE), should_stop)
        if not surfaces:
            (target / COHORT_FILE).unlink(missing_ok=True)
            raise CohortError(f"No case of {found.folder} can be used. {next(iter(faults.values()), '')}".rstrip())
        boxes = np.array(list(surfaces.values()))
        units = Units.of_set(boxes[:, 0], boxes[:, 1], scale)
        shares = part_of(progress, _READING_SHARE, _STORING_SHARE)
        records = _records(found, target, units, surfaces, faults, options, shares, should_stop)
        _check_scale(units, records)
        samples_per_shape, records = _of_one_count(found, records)
        notes = (*found.notes, *_scale_notes(units), *_table_notes(found, units, records))
        write_quality_table(target / QUALITY_FILE, [record for record, _ in records])
        members = [
            Member(
                record.id, record.shape, {"source": _files(found, record.id), "quality": asdict(record.verdict), **more}
            )
            for record, more in records
            if record.shape is not None and record.accepted
        ]
        if not members:
            (target / COHORT_FILE).unlink(missing_ok=True)
            raise CohortError(f"No case of {found.folder} can be used. See {target / QUALITY_FILE} for the reasons.")
        with Workers(1) as pool:
            write_cohort(
                target,
                members,
                pool,
                samples_per_shape=samples_per_shape,
                alignment=ALIGNMENT,
                source=str(found.folder),
                entries={"authors": _about(found, units)} | ({} if units.known else {"lengths": UNKNOWN_SCALE_NOTE}),
                given=GivenSamples(units.scale_mm, lambda case_id: _samples(found, case_id, units)),
                progress=part_of(progress, _STORING_SHARE, 1),
                should_stop=should_stop,
            )
    nothing_else = FoundCases((found.folder,), ())
    return summary_of(folder, [record for record, _ in records], notes, nothing_else, earlier, False, began)


def _boxes(
    found: PublishedSet, exclude: Sequence[str], progress: ProgressCallback, should_stop: ShouldStop
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the box (2, 3) of each case that can be read, and the faults of the others, by id."""
    boxes, faults = {}, {}
    for number, case_id in enumerate(found.ids, start=1):
        check(should_stop)
        progress(number / len(found.ids), f"Reading {case_id} ({number} of {len(found.ids)})")
        if case_id in exclude:
            continue
        try:
            boxes[case_id] = np.array(found.surface(case_id).bounds)
        except InputError as error:
            faults[case_id] = str(error)
    return boxes, faults


Records = list[tuple[CaseRecord, dict[str, Any]]]


def _records(
    found: PublishedSet,
    target: Path,
    units: Units,
    boxes: dict[str, np.ndarray],
    faults: dict[str, str],
    options: AuthorsOptions,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> Records:
    """Return the record of each case, with further entries of its case in ``cohort.json``; store its surface."""
    records: Records = []
    for number, case_id in enumerate(found.ids, start=1):
        check(should_stop)
        progress(number / len(found.ids), f"Measuring {case_id} ({number} of {len(found.ids)})")
        error, reasons, shape = faults.get(case_id, ""), [], None
        more: dict[str, Any] = {}
        if case_id in boxes:
            try:
                surface = found.surface(case_id)
                more["samples"] = len(found.samples(case_id, surface))
                shape = _stored(target, case_id, surface, units)
                reasons += [] if surface.is_closed() else [NOT_WATERTIGHT]
            except InputError as fault:
                error = str(fault)
        if case_id in found.published and shape is not None:
            more["published_units"] = [None if np.isnan(v) else float(v) for v in found.published[case_id]]
        manual: Literal["", "included", "excluded"] = "excluded" if case_id in options.exclude else ""
        if case_id in options.include and reasons and shape is not None:
            manual = "included"
        verdict = QualityVerdict(
            accepted=manual == "included" or not (error or reasons or manual),
            reasons=tuple(reasons),
            notes=(),
            measurements=QualityMeasurements(volume_ml=0.0 if shape is None else shape.features["volume_ml"]),
            manual_decision=manual,
        )
        source = {"kind": "authors", "files": [str(found.mesh_file(case_id)), str(found.sample_file(case_id))]}
        records.append((CaseRecord(case_id, source, verdict, shape, error=error), more))
    return records


def _stored(target: Path, case_id: str, surface: Surface, units: Units) -> StoredShape:
    moved = surface.moved(units.to_ras(surface.vertices) * units.scale_mm)
    if np.prod(units.signs) > 0:
        # The set's axes S, A, R are left-handed, so that triangles which face outwards there face inwards in R, A, S.
        moved = Surface(moved.vertices, moved.faces[:, ::-1])
    return store_shape(target, case_id, moved, Placement(np.eye(4)))


def _samples(found: PublishedSet, case_id: str, units: Units) -> np.ndarray:
    samples = found.samples(case_id, found.surface(case_id))
    return np.column_stack([units.to_ras(samples[:, :3]), samples[:, 3]]).astype(np.float32)


def _of_one_count(found: PublishedSet, records: Records) -> tuple[int, Records]:
    """Return the number of samples of most cases, and the records; a case with another number is unreadable."""
    counts = [more["samples"] for _, more in records if "samples" in more]
    usual = max(set(counts), key=counts.count) if counts else 1
    checked: Records = []
    for record, more in records:
        count = more.pop("samples", usual)
        if count != usual:
            error = (
                f"{found.sample_file(record.id)} has {count} samples, and the others have {usual}. Draw as many for "
                "each shape."
            )
            verdict = QualityVerdict(False, (), (), QualityMeasurements())
            record = CaseRecord(record.id, record.source, verdict, error=error)
        checked.append((record, more))
    return usual, checked


def _check_scale(units: Units, records: Records) -> None:
    """Raise `InputError` if with the scale of the set most of its thyroids have an impossible volume."""
    volumes = [record.shape.features["volume_ml"] for record, _ in records if record.accepted and record.shape]
    median, rules = float(np.median(volumes)) if volumes else 0.0, QualityRules()
    if volumes and units.known and not rules.min_volume_ml <= median <= rules.max_volume_ml:
        raise InputError(
            f"With this scale half of the thyroids have more than {median:.3g} mL, which is impossible. State the "
            "millimetres per unit along the three axes of the set (--scale-mm)."
        )


def _scale_notes(units: Units) -> tuple[str, ...]:
    if units.origin == "unknown":
        return (UNKNOWN_SCALE_NOTE,)
    if units.origin == "published":
        right, anterior, superior = units.scale_mm
        return (
            f"one unit is {superior:.2f}, {anterior:.2f} and {right:.2f} mm along the set's axes, derived from the "
            "mean extents that the paper states for its 353 cases; for another set state its own scale",
        )
    return ()


def _table_notes(found: PublishedSet, units: Units, records: Records) -> tuple[str, ...]:
    """Return a note if features of the table are not those of the surfaces."""
    rows = [(record.id, record.shape.features) for record, _ in records if record.accepted and record.shape]
    rows = [(case_id, features) for case_id, features in rows if case_id in found.published]
    if not rows:
        return ()
    measured = np.array([[features[name] for name in FEATURE_NAMES] for _, features in rows])
    stated = units.features(np.array([found.published[case_id] for case_id, _ in rows]))
    # The authors write -1 for the symmetry of a surface that their program does not take for closed.
    stated[stated < 0] = np.nan
    difference = np.abs(stated - measured)
    limit = np.maximum(_AGREES_RANGE * np.ptp(measured, axis=0), _AGREES_SHARE * measured)
    differing = [case_id for (case_id, _), wrong in zip(rows, (difference > limit).any(axis=1), strict=True) if wrong]
    if not differing:
        return ()
    return (
        f"the features in features.csv are not those of the surface for {counted(len(differing), 'case')}, such as "
        f"{differing[0]}; the measured ones are used",
    )


def _about(found: PublishedSet, units: Units) -> dict[str, Any]:
    return {**units.to_json(), "trained_ids": list(found.trained_ids), "table_ids": list(found.table_ids)}


def _files(found: PublishedSet, case_id: str) -> dict[str, Any]:
    """Return the files of a case for ``cohort.json``; they are no segmentation from which it could be read again."""
    return {"kind": "authors", "mesh": str(found.mesh_file(case_id)), "samples": str(found.sample_file(case_id))}
