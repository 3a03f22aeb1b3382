"""From segmentations to a cohort: judge and measure every case, then sample the accepted ones.

Both halves run over worker processes and leave what they have done on the disk, so that a preparation
broken off at any moment goes on where it was, and a dataset that grew costs only what is new.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.parallel import workers_for
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.common.workers import WorkerFailure, Workers, usable_workers
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Placement

from .case_sources import CaseSource, find_cases, synthetic_statement
from .case_step import CASES_FOLDER, CaseRecord, CaseTask, prepare_case, unreadable_case
from .cohort import COHORT_FILE, FORMAT, SAMPLES_FILE, SURFACES_FOLDER
from .cohort_writing import SAMPLES_PER_SHAPE, Member, write_cohort
from .quality import QualityRules, apply_manual_decision
from .quality_table import QUALITY_FILE, write_quality_table
from .sample_rows import LEDGER_FILE

PLAN_FILE = "prepare.json"
_PLAN_FORMAT = "thyroidsynth preparation"
_MEASURING_SHARE = 0.4  # Of the progress bar: sampling takes longer than reading and measuring.


@dataclass(frozen=True)
class PrepareOptions:
    """How a cohort is prepared.

    Attributes
    ----------
    class_map : str, optional
        Whose label numbers multi-label files without names hold ("total-v2").
    alignment : str
        How shapes are laid in the trachea frame, one of `frame.ALIGNMENTS`; "trachea" as published.
    rules : QualityRules
        What quality control asks.
    include, exclude : tuple of str
        Ids of cases that are included or excluded manually, whatever the rules say.
    samples_per_shape : int
        50,000 as published.
    seed : int
        Of the samples.
    overwrite : bool
        Replace what the folder was prepared from before; otherwise that is an error.
    """

    class_map: str | None = None
    alignment: str = ALIGNMENTS[0]
    rules: QualityRules = field(default_factory=QualityRules)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    samples_per_shape: int = SAMPLES_PER_SHAPE
    seed: int = 0
    overwrite: bool = False


@dataclass(frozen=True)
class PreparationSummary:
    """What became of a preparation.

    Attributes
    ----------
    folder : Path
        The cohort.
    cases, accepted, refused, unreadable : int
        Numbers of cases; `cases` is the sum of the others.
    reasons : dict of str to int
        How often each reason to refuse was found, in cases refused.
    reused : int
        Cases that had been measured before and were not measured again.
    synthetic : bool
        Whether the cases are software input, not anatomy.
    seconds : float
        Time it took.
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
    """Prepare a cohort; go on with one that was broken off.

    Parameters
    ----------
    source : path-like or sequence of CaseSource
        What `case_sources.find_cases` takes, or what it gives.
    folder : path-like
        The cohort folder; new, empty, or of an earlier preparation of the same source.
    options : PrepareOptions
        How.
    workers : int, optional
        Worker processes; one for each core by default. The result does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler whose workers do it instead, with the same result.

    Raises
    ------
    InputError
        There are no cases, or a case to include or exclude is not among them.
    CohortError
        The folder holds another cohort, or no case was accepted (``quality.csv`` says why).
    OutputError
        The folder holds something else, or the disk is full.
    Cancelled
        A stop was requested; calling again goes on.
    JobError
        The scheduler is not there, or was lost.
    """
    began = time.monotonic()
    folder = Path(folder)
    if scheduler is not None:
        # Its workers have another working directory.
        folder = folder.absolute()
        source = Path(source).absolute() if isinstance(source, (str, Path)) else source
    sources, origin = _sources(source, options)
    _check_manual_decisions(sources, options)
    _claim(folder, origin, options)
    statement = synthetic_statement(origin) if origin else None
    try:
        with workers_for(min(usable_workers(workers), len(sources)), scheduler=scheduler) as pool:
            records = _measure(sources, folder, options, pool, part_of(progress, 0, _MEASURING_SHARE), should_stop)
            accepted = [record for record in records if record.accepted]
            if not accepted:
                (folder / COHORT_FILE).unlink(missing_ok=True)
                raise CohortError(
                    f"None of the {len(records)} cases can be learnt from ({_most_common(records)}). "
                    f"{folder / QUALITY_FILE} gives the reasons; include a case manually by its id."
                )
            write_cohort(
                folder,
                [_member(record) for record in accepted],
                pool,
                samples_per_shape=options.samples_per_shape,
                seed=options.seed,
                synthetic=statement is not None,
                alignment=options.alignment,
                about=_about(origin, statement, options, records),
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
    """Judge and measure every case and write ``quality.csv``, without drawing samples.

    So the user can look at the verdicts, and decide otherwise, before the longer half is done.
    `prepare_cohort` on the same folder goes on from there. Parameters and errors are its own, but that no
    case is accepted is no error here.
    """
    began = time.monotonic()
    folder = Path(folder)
    sources, origin = _sources(source, options)
    _check_manual_decisions(sources, options)
    _claim(folder, origin, options)
    try:
        with Workers(min(usable_workers(workers), len(sources))) as pool:
            records = _measure(sources, folder, options, pool, progress, should_stop)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return _summary(folder, records, bool(origin and synthetic_statement(origin)), began)


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{folder} cannot be written ({error}). Make room, or choose another folder.")


def _summary(folder: Path, records: Sequence[CaseRecord], synthetic: bool, began: float) -> PreparationSummary:
    accepted = sum(1 for record in records if record.accepted)
    unreadable = sum(1 for record in records if record.error)
    return PreparationSummary(
        folder=folder,
        cases=len(records),
        accepted=accepted,
        refused=len(records) - accepted - unreadable,
        unreadable=unreadable,
        reasons=_count_reasons(records),
        reused=sum(1 for record in records if record.reused),
        synthetic=synthetic,
        seconds=time.monotonic() - began,
    )


def _sources(
    source: Path | str | Sequence[CaseSource], options: PrepareOptions
) -> tuple[list[CaseSource], Path | None]:
    if isinstance(source, (str, Path)):
        return find_cases(source, class_map=options.class_map), Path(source).absolute()
    sources = sorted(source, key=lambda one: one.id)
    if not sources:
        raise InputError("No cases were given to prepare.")
    twice = sorted(case_id for case_id, count in Counter(one.id for one in sources).items() if count > 1)
    if twice:
        raise InputError(f"Several cases have the same id ({', '.join(twice[:5])}). Give each its own.")
    files = sources[0].files
    return sources, files[0].absolute().parent if files else None


def _check_manual_decisions(sources: Sequence[CaseSource], options: PrepareOptions) -> None:
    known = {source.id for source in sources}
    unknown = [case_id for case_id in (*options.include, *options.exclude) if case_id not in known]
    if unknown:
        raise InputError(f"There is no case {', '.join(unknown)} among the {len(known)} cases. Check the ids.")
    both = sorted(set(options.include) & set(options.exclude))
    if both:
        raise InputError(f"{', '.join(both)} cannot be both included and excluded. Choose one.")


def _claim(folder: Path, origin: Path | None, options: PrepareOptions) -> None:
    """Take a folder for this preparation, or go on with it; never replace another one unasked."""
    plan = {
        "format": _PLAN_FORMAT,
        "source": str(origin or ""),
        "class_map": options.class_map,
        "alignment": options.alignment,
        "rules": asdict(options.rules),
        "samples_per_shape": options.samples_per_shape,
        "seed": options.seed,
    }
    path = folder / PLAN_FILE
    if path.is_file():
        before = read_json(path)
        if not isinstance(before, dict) or before.get("format") != _PLAN_FORMAT:
            raise OutputError(f"{path} is of another software than ThyroidSynth. Choose a new or empty folder.")
        differing = [name for name in plan if before.get(name) != plan[name]]
        if not differing:
            return
        if not options.overwrite:
            told = "; ".join(f"{name} was {before.get(name)}, now {plan[name]}" for name in differing if name in before)
            raise CohortError(
                f"{folder} holds a cohort prepared otherwise ({told or 'unknown'}). "
                "Choose another folder, or allow it to be overwritten."
            )
        _clear(folder)
    elif (folder / COHORT_FILE).is_file():
        document = read_json(folder / COHORT_FILE)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise OutputError(f"{folder / COHORT_FILE} is no cohort's. Choose a new or empty folder.")
        if not options.overwrite:
            raise CohortError(f"{folder} holds another cohort. Choose another folder, or allow it to be overwritten.")
        _clear(folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} holds something that is not a cohort. Choose a new or empty folder.")
    write_json(path, plan)


def _clear(folder: Path) -> None:
    """Remove what preparations write, and nothing else."""
    # The cohort's own file goes first: without it the folder is no cohort, however far this gets.
    for name in (COHORT_FILE, SAMPLES_FILE, LEDGER_FILE, QUALITY_FILE):
        (folder / name).unlink(missing_ok=True)
    for pattern in (f"{SURFACES_FOLDER}/*.ply", f"{CASES_FOLDER}/*.json"):
        for path in folder.glob(pattern):
            path.unlink()


def _measure(
    sources: Sequence[CaseSource],
    folder: Path,
    options: PrepareOptions,
    pool: Workers,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> list[CaseRecord]:
    decisions = {**dict.fromkeys(options.include, True), **dict.fromkeys(options.exclude, False)}
    tasks = (CaseTask(source, str(folder), options.rules, options.alignment) for source in sources)
    records = []
    for task, result in pool.run(prepare_case, tasks, should_stop=should_stop):
        if isinstance(result, WorkerFailure):
            result = unreadable_case(task, "reading it ended the process (out of memory?). Try with fewer workers")
        case_id = task.source.id
        if case_id in decisions and not result.error:
            result = replace(result, verdict=apply_manual_decision(result.verdict, include=decisions[case_id]))
        records.append(result)
        what = "unreadable" if result.error else ", ".join(result.verdict.reasons) or "accepted"
        progress(len(records) / len(sources), f"{case_id}: {what} ({len(records)} of {len(sources)})")
    records.sort(key=lambda record: record.id)
    write_quality_table(folder / QUALITY_FILE, records)
    return records


def _about(
    origin: Path | None, statement: str | None, options: PrepareOptions, records: Sequence[CaseRecord]
) -> dict[str, Any]:
    """What the cohort says of itself besides its shapes."""
    return {
        "statement": statement or "",
        "source": str(origin or ""),
        "rules": asdict(options.rules),
        "not_accepted": [
            {"id": record.id, "error": record.error, **record.verdict.to_json()}
            for record in records
            if not record.accepted
        ],
    }


def _member(record: CaseRecord) -> Member:
    shape = record.shape
    return Member(
        id=record.id,
        features=shape.features,
        placement=Placement(shape.trachea_to_ras),
        lower_mm=shape.box_mm[0],
        upper_mm=shape.box_mm[1],
        surface=shape.surface,
        surface_sha256=shape.surface_sha256,
        details={"source": record.source, "quality": record.verdict.to_json()},
    )


def _count_reasons(records: Sequence[CaseRecord]) -> dict[str, int]:
    refused = (record.verdict.reasons for record in records if not record.accepted)
    return dict(Counter(reason for reasons in refused for reason in reasons).most_common())


def _most_common(records: Sequence[CaseRecord]) -> str:
    told = [f"{count} x {reason}" for reason, count in _count_reasons(records).items()]
    unreadable = sum(1 for record in records if record.error)
    return "; ".join(told + ([f"{unreadable} x unreadable"] if unreadable else [])) or "all excluded manually"
