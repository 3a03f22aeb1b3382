"""Prepare a cohort from segmentations: check and measure all cases, then sample the accepted ones.

Both steps run in worker processes and store their results, so that an interrupted preparation is resumed,
and only new cases are processed when a dataset has grown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.parallel import workers_for
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.common.workers import WorkerFailure, Workers, usable_workers
from ThyroidSynthLib.geometry.frame import ALIGNMENTS

from .case_preparation import CASES_FOLDER, CaseRecord, CaseTask, prepare_case, unreadable_case
from .case_sources import CaseSource, find_cases, labels_of_structures, synthetic_statement
from .cohort import COHORT_FILE, FORMAT, SAMPLES_FILE, SURFACES_FOLDER
from .cohort_writing import SAMPLES_PER_SHAPE, Member, write_cohort
from .quality import QualityRules, apply_manual_decision
from .quality_table import QUALITY_FILE, write_quality_table
from .sample_rows import LEDGER_FILE

PLAN_FILE = "prepare.json"
_PLAN_FORMAT = "thyroidsynth preparation"
_MEASURING_SHARE = 0.4  # Share of the progress: sampling takes longer than reading and measuring.


@dataclass(frozen=True)
class PrepareOptions:
    """The options of a preparation.

    Attributes
    ----------
    labels : mapping of int to str, optional
        Names of the label numbers of multi-label files without names.
    alignment : str
        How shapes are aligned in the trachea frame, one of `frame.ALIGNMENTS`; "trachea" as in the paper.
    include, exclude : tuple of str
        Ids of cases that are included or excluded manually, whatever the rules say.
    samples_per_shape : int
        Number of samples per shape; 50,000 as in the paper.
    seed : int
        Random seed of the samples.
    overwrite : bool
        Whether a cohort that was prepared with other options may be replaced.
    """

    labels: Mapping[int, str] | None = None
    alignment: str = ALIGNMENTS[0]
    rules: QualityRules = field(default_factory=QualityRules)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    samples_per_shape: int = SAMPLES_PER_SHAPE
    seed: int = 0
    overwrite: bool = False


@dataclass(frozen=True)
class PreparationSummary:
    """The result of a preparation.

    Attributes
    ----------
    cases, accepted, refused, unreadable : int
        Numbers of cases; `cases` is the sum of the others.
    reasons : dict of str to int
        Frequency of each reason among the refused cases.
    reused : int
        Number of cases whose earlier results were reused.
    synthetic : bool
        Whether the cases are software input, not anatomy.
    """

    folder: Path
    cases: int
    accepted: int
    refused: int
    unreadable: int
    reasons: dict[str, int]
    reused: int
    synthetic: bool
    seconds: float


def prepare_cohort(
    source: Path | str | Sequence[CaseSource],
    folder: Path | str,
    options: PrepareOptions = PrepareOptions(),
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
    workers: int | None = None,
    scheduler: str | None = None,
) -> PreparationSummary:
    """Prepare a cohort, or resume an interrupted preparation.

    Parameters
    ----------
    source : path-like or sequence of CaseSource
        A path as for `case_sources.find_cases`, or its result.
    folder : path-like
        The cohort folder: new, empty, or of an earlier preparation of the same source.
    workers : int, optional
        Number of worker processes, by default one per core. The result does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler whose workers are used instead, with the same result.

    Raises
    ------
    InputError
        There are no cases, or a case to include or exclude is not among them.
    CohortError
        The folder holds another cohort, or no case is accepted (see ``quality.csv`` for the reasons).
    OutputError
        The folder holds other files, or the disk is full.
    Cancelled
        A stop was requested; another call resumes.
    JobError
        The scheduler is not available, or was lost.
    """
    began = time.monotonic()
    folder = Path(folder)
    if scheduler is not None:
        # The workers have another working directory.
        folder = folder.absolute()
        source = Path(source).absolute() if isinstance(source, (str, Path)) else source
    sources, origin = _sources(source, options)
    _claim(folder, origin, options)
    statement = synthetic_statement(origin) if origin else None
    try:
        with workers_for(min(usable_workers(workers), len(sources)), scheduler=scheduler) as pool:
            records = _measure(sources, folder, options, pool, part_of(progress, 0, _MEASURING_SHARE), should_stop)
            members = [
                Member(record.id, record.shape, {"source": record.source, "quality": asdict(record.verdict)})
                for record in records
                if record.accepted and record.shape is not None
            ]
            if not members:
                (folder / COHORT_FILE).unlink(missing_ok=True)
                raise CohortError(
                    f"None of the {len(records)} cases is accepted ({_reasons_text(records)}). "
                    f"See {folder / QUALITY_FILE} for the reasons, or include cases manually by their ids."
                )
            write_cohort(
                folder,
                members,
                pool,
                samples_per_shape=options.samples_per_shape,
                seed=options.seed,
                synthetic=statement is not None,
                alignment=options.alignment,
                statement=statement or "",
                source=str(origin or ""),
                entries={"rules": asdict(options.rules), "not_accepted": _not_accepted(records)},
                progress=part_of(progress, _MEASURING_SHARE, 1),
                should_stop=should_stop,
            )
    except OSError as error:
        raise _unwritable(folder, error) from error
    return _summary(folder, records, statement is not None, began)


def check_cases(
    source: Path | str | Sequence[CaseSource],
    folder: Path | str,
    options: PrepareOptions = PrepareOptions(),
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
    workers: int | None = None,
) -> PreparationSummary:
    """Check and measure all cases and write ``quality.csv``, without drawing samples.

    Cases can then be included or excluded manually, before `prepare_cohort` resumes in the same folder.
    Parameters and errors are those of `prepare_cohort`, but it is no error if no case is accepted.
    """
    began = time.monotonic()
    folder = Path(folder)
    sources, origin = _sources(source, options)
    _claim(folder, origin, options)
    try:
        with Workers(min(usable_workers(workers), len(sources))) as pool:
            records = _measure(sources, folder, options, pool, progress, should_stop)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return _summary(folder, records, bool(origin and synthetic_statement(origin)), began)


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{folder} cannot be written ({error}). Free disk space, or choose another folder.")


def _summary(folder: Path, records: Sequence[CaseRecord], synthetic: bool, began: float) -> PreparationSummary:
    accepted = sum(record.accepted for record in records)
    unreadable = sum(bool(record.error) for record in records)
    return PreparationSummary(
        folder=folder,
        cases=len(records),
        accepted=accepted,
        refused=len(records) - accepted - unreadable,
        unreadable=unreadable,
        reasons=_count_reasons(records),
        reused=sum(record.reused for record in records),
        synthetic=synthetic,
        seconds=time.monotonic() - began,
    )


def _sources(
    source: Path | str | Sequence[CaseSource], options: PrepareOptions
) -> tuple[list[CaseSource], Path | None]:
    """Return the cases, sorted by id, and the folder that they come from, if known."""
    origin: Path | None
    if isinstance(source, (str, Path)):
        sources, origin = find_cases(source, labels=options.labels), Path(source).absolute()
    else:
        sources = sorted(source, key=lambda one: one.id)
        files = sources[0].files if sources else ()
        origin = files[0].absolute().parent if files else None
    if not sources:
        raise InputError("There are no cases to prepare. Give at least one.")
    known = Counter(one.id for one in sources)
    twice = [case_id for case_id, count in known.items() if count > 1]
    if twice:
        raise InputError(f"Several cases have the same id ({', '.join(twice[:5])}). Give each its own.")
    unknown = [case_id for case_id in (*options.include, *options.exclude) if case_id not in known]
    if unknown:
        raise InputError(f"There is no case {', '.join(unknown)} among the {len(known)} cases. Check the ids.")
    both = sorted(set(options.include) & set(options.exclude))
    if both:
        raise InputError(f"{', '.join(both)} cannot be both included and excluded. Choose one.")
    return sources, origin


def _claim(folder: Path, origin: Path | None, options: PrepareOptions) -> None:
    """Reserve a folder for this preparation; raise an error if that would replace files without `overwrite`."""
    plan = {
        "format": _PLAN_FORMAT,
        "source": str(origin or ""),
        "labels": labels_of_structures(options.labels),
        "alignment": options.alignment,
        "rules": asdict(options.rules),
        "samples_per_shape": options.samples_per_shape,
        "seed": options.seed,
    }
    found = next((path for path in (folder / PLAN_FILE, folder / COHORT_FILE) if path.is_file()), None)
    if found is not None:
        before = read_json(found)
        if not isinstance(before, dict) or before.get("format") not in (_PLAN_FORMAT, FORMAT):
            raise OutputError(f"{found} is not a file of ThyroidSynth. Choose a new or empty folder.")
        differing = [name for name in plan if before.get(name) != plan[name]]
        if not differing:
            return
        if not options.overwrite:
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
        raise _unwritable(folder, error) from error


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


def _measure(
    sources: Sequence[CaseSource],
    folder: Path,
    options: PrepareOptions,
    pool: Workers,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> list[CaseRecord]:
    decisions = {**dict.fromkeys(options.include, True), **dict.fromkeys(options.exclude, False)}
    tasks = (CaseTask(source, folder, options.rules, options.alignment) for source in sources)
    records = []
    for task, result in pool.run(prepare_case, tasks, should_stop=should_stop):
        if isinstance(result, WorkerFailure):
            result = unreadable_case(task, "the process that read it ended (out of memory?). Use fewer workers")
        case_id = task.source.id
        if case_id in decisions and not result.error:
            result = replace(result, verdict=apply_manual_decision(result.verdict, include=decisions[case_id]))
        records.append(result)
        outcome = "unreadable" if result.error else ", ".join(result.verdict.reasons) or "accepted"
        progress(len(records) / len(sources), f"{case_id}: {outcome} ({len(records)} of {len(sources)})")
    records.sort(key=lambda record: record.id)
    write_quality_table(folder / QUALITY_FILE, records)
    return records


def _not_accepted(records: Sequence[CaseRecord]) -> list[dict[str, Any]]:
    return [
        {"id": record.id, "error": record.error, **asdict(record.verdict)} for record in records if not record.accepted
    ]


def _count_reasons(records: Sequence[CaseRecord]) -> dict[str, int]:
    reasons = (reason for record in records if not record.accepted for reason in record.verdict.reasons)
    return dict(Counter(reasons).most_common())


def _reasons_text(records: Sequence[CaseRecord]) -> str:
    counts = _count_reasons(records)
    if unreadable := sum(1 for record in records if record.error):
        counts["unreadable"] = unreadable
    return "; ".join(f"{count} x {reason}" for reason, count in counts.items()) or "all excluded manually"
