"""Prepare a cohort from segmentations: check and measure all cases, then sample the accepted ones.

Both steps run in worker processes and store their results, so that an interrupted preparation is resumed,
and only new cases are processed when a dataset has grown.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.common.parallel import workers_for
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.common.workers import WorkerFailure, Workers, usable_workers
from ThyroidSynthLib.geometry.frame import DEFAULT_ALIGNMENT

from .case_preparation import CaseRecord, CaseTask, lost_case, prepare_case
from .case_sources import CaseSource, FoundCases, labels_of_structures, search_cases, synthetic_statement
from .cohort import COHORT_FILE
from .cohort_folder import claimed_folder
from .cohort_notes import with_cohort_notes
from .cohort_writing import SAMPLES_PER_SHAPE, Member, write_cohort
from .organs.reading import checked_names
from .quality import QualityRules, apply_manual_decision
from .quality_table import QUALITY_FILE, read_quality_table, write_quality_table

Source: TypeAlias = Path | str | FoundCases | Sequence[Path | str] | Sequence[CaseSource]
"""Where the cases of a preparation come from."""

_log = logging.getLogger(__name__)

_MEASURING_SHARE = 0.4  # Share of the progress: sampling takes longer than reading and measuring.


@dataclass(frozen=True)
class PrepareOptions:
    """The options of a preparation.

    Attributes
    ----------
    labels : mapping of int to str, optional
        Names of the label numbers of multi-label files without names.
    alignment : str
        How shapes are aligned in the trachea frame, one of `frame.ALIGNMENTS`; "trachea" is that of the paper.
    include, exclude : tuple of str
        Ids of cases that are included or excluded manually, whatever the rules say.
    samples_per_shape : int
        Number of samples per shape; 50,000 as in the paper.
    organs : tuple of str
        Organs to prepare beside the thyroid, by their names in the segmentations, such as "trachea".
    seed : int
        Random seed of the samples.
    overwrite : bool
        Whether a cohort that was prepared with other options may be replaced.
    """

    labels: Mapping[int, str] | None = None
    alignment: str = DEFAULT_ALIGNMENT
    rules: QualityRules = field(default_factory=QualityRules)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    samples_per_shape: int = SAMPLES_PER_SHAPE
    organs: tuple[str, ...] = ()
    seed: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "organs", checked_names(self.organs))


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
        Whether there are cases that are software input, not anatomy.
    passed_over : dict of str to int
        Number of files and folders in the source that belong to no case, by reason.
    added, removed : tuple of str
        Cases that the source did not hold when it was last checked in this folder, and cases that it holds no more.
    notes : tuple of str
        Cases that stand out among the others: one that sets the bounding box, and thyroids that are the same.
    organs : dict of str to int
        Of each organ that was prepared beside the thyroid, in how many cases it is.
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
    passed_over: dict[str, int]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    notes: tuple[str, ...]
    organs: dict[str, int] = field(default_factory=dict)


def prepare_cohort(
    source: Source,
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
    source : path-like, sequence of path-like, FoundCases or sequence of CaseSource
        Paths as for `case_sources.find_cases`, or what was found there.
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
    found = _found(source, options)
    with claimed_folder(folder, _plan(found.sources, options), overwrite=options.overwrite) as target:
        earlier = earlier_ids(target)
        statement = _statement(found)
        with workers_for(min(usable_workers(workers), len(found.cases)), scheduler=scheduler) as pool:
            measuring = part_of(progress, 0, _MEASURING_SHARE)
            records, notes = _measure(found, target, options, pool, measuring, should_stop)
            members = [
                Member(
                    record.id,
                    record.shape,
                    {"source": record.source, "quality": asdict(record.verdict)},
                    record.organs,
                )
                for record in records
                if record.accepted and record.shape is not None
            ]
            if not members:
                (target / COHORT_FILE).unlink(missing_ok=True)
                one = len(records) == 1
                none = "The case is not accepted" if one else f"None of the {len(records)} cases is accepted"
                anyway = ", or include cases manually by their ids" if any(not each.error for each in records) else ""
                raise CohortError(
                    f"{none} ({_reasons_text(records)}). {_first_error(records)}"
                    f"See {target / QUALITY_FILE} for the reasons{anyway}."
                )
            cohort = write_cohort(
                target,
                members,
                pool,
                samples_per_shape=options.samples_per_shape,
                seed=options.seed,
                synthetic=statement is not None,
                alignment=options.alignment,
                statement=statement or "",
                source=_source_text(found.sources),
                entries={"rules": asdict(options.rules), "not_accepted": _not_accepted(records)},
                organs=options.organs,
                progress=part_of(progress, _MEASURING_SHARE, 1),
                should_stop=should_stop,
            )
            in_cases = {name: len(organ.ids) for name, organ in cohort.organs.items()}
    summary = summary_of(folder, records, notes, found, earlier, statement is not None, began)
    return replace(summary, organs=in_cases)


def check_cases(
    source: Source,
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
    found = _found(source, options)
    with claimed_folder(folder, _plan(found.sources, options), overwrite=options.overwrite) as target:
        earlier = earlier_ids(target)
        with Workers(min(usable_workers(workers), len(found.cases))) as pool:
            records, notes = _measure(found, target, options, pool, progress, should_stop)
    return summary_of(folder, records, notes, found, earlier, _statement(found) is not None, began)


def summary_of(
    folder: Path,
    records: Sequence[CaseRecord],
    notes: tuple[str, ...],
    found: FoundCases,
    earlier: set[str] | None,
    synthetic: bool,
    began: float,
) -> PreparationSummary:
    """Return the summary of a preparation; `earlier` are the ids of an earlier one, `began` when this one did."""
    accepted = sum(record.accepted for record in records)
    unreadable = sum(bool(record.error) for record in records)
    ids = {record.id for record in records}
    passed_over: Counter[str] = Counter()
    for entry in found.passed_over:
        passed_over[entry.reason] += entry.count
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
        passed_over=dict(passed_over.most_common()),
        added=() if earlier is None else tuple(sorted(ids - earlier)),
        removed=() if earlier is None else tuple(sorted(earlier - ids)),
        notes=notes,
    )


def _found(source: Source, options: PrepareOptions) -> FoundCases:
    """Return the cases of a preparation after a check of their ids; `InputError` if there is none."""
    if isinstance(source, FoundCases):
        found = source
    elif isinstance(source, (str, Path)):
        found = search_cases((source,), labels=options.labels)
    elif paths := [one for one in source if not isinstance(one, CaseSource)]:
        found = search_cases(paths, labels=options.labels)
    else:
        found = _of_cases([one for one in source if isinstance(one, CaseSource)])
    known = Counter(one.id for one in found.cases)
    twice = [case_id for case_id, count in known.items() if count > 1]
    if twice:
        raise InputError(f"Several cases have the same id ({', '.join(twice[:5])}). Give each its own.")
    unknown = [case_id for case_id in (*options.include, *options.exclude) if case_id not in known]
    if unknown:
        raise InputError(f"There is no case {', '.join(unknown)} among the {len(known)} cases. Check the ids.")
    both = sorted(set(options.include) & set(options.exclude))
    if both:
        raise InputError(f"{', '.join(both)} cannot be both included and excluded. Choose one.")
    return found


def _of_cases(cases: Sequence[CaseSource]) -> FoundCases:
    if not cases:
        raise InputError("There are no cases to prepare. Give at least one.")
    folders = {str(path.absolute().parent) for case in cases for path in case.files}
    # A single case is known by its files, several by the folder that holds them all.
    sources = cases[0].files if len(cases) == 1 else (Path(os.path.commonpath(folders)),)
    return FoundCases(tuple(sources), tuple(sorted(cases, key=lambda one: one.id)))


def _statement(found: FoundCases) -> str | None:
    """Return the statement of the synthetic dataset that a case is of; None if all are real."""
    folders = (*found.sources, *sorted({case.files[0].parent for case in found.cases}))
    statements = map(synthetic_statement, folders)
    return next(filter(None, statements), None)


def _source_text(sources: Sequence[Path]) -> str:
    return "; ".join(map(str, sources))


def earlier_ids(folder: Path) -> set[str] | None:
    """Return the ids of the cases of the last complete check in this folder, None if there was none."""
    try:
        return {verdict.id for verdict in read_quality_table(folder / QUALITY_FILE)}
    except InputError:
        return None


def _plan(sources: Sequence[Path], options: PrepareOptions) -> dict[str, Any]:
    """Return what a preparation must have in common with the one that it resumes."""
    # Cohorts without other organs have no entry for them, as before there were any.
    organs = {"organs": list(options.organs)} if options.organs else {}
    return organs | {
        "source": _source_text(sources),
        "labels": labels_of_structures(options.labels),
        "alignment": options.alignment,
        "rules": asdict(options.rules),
        "samples_per_shape": options.samples_per_shape,
        "seed": options.seed,
    }


def _measure(
    found: FoundCases,
    folder: Path,
    options: PrepareOptions,
    pool: Workers,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> tuple[list[CaseRecord], tuple[str, ...]]:
    """Return the record of each case, and notes on cases that stand out; write ``quality.csv``."""
    decisions = {**dict.fromkeys(options.include, True), **dict.fromkeys(options.exclude, False)}
    tasks = (CaseTask(source, folder, options.rules, options.alignment, options.organs) for source in found.cases)
    records = []
    for task, result in pool.run(prepare_case, tasks, should_stop=should_stop):
        if isinstance(result, WorkerFailure):
            result = lost_case(task)
        if result.details:
            _log.info("Case %s: %s", task.source.id, result.details)
        case_id = task.source.id
        if case_id in decisions and not result.error:
            result = replace(result, verdict=apply_manual_decision(result.verdict, include=decisions[case_id]))
        records.append(result)
        outcome = "unreadable" if result.error else ", ".join(result.verdict.reasons) or "accepted"
        progress(len(records) / len(found.cases), f"{case_id}: {outcome} ({len(records)} of {len(found.cases)})")
    records.sort(key=lambda record: record.id)
    noted, notes = with_cohort_notes(records, folder)
    write_quality_table(folder / QUALITY_FILE, noted, found.passed_over)
    return noted, notes


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


def _first_error(records: Sequence[CaseRecord]) -> str:
    """Return why the first case that is unreadable cannot be read, followed by a blank; empty if there is none."""
    return next((f"{record.error} " for record in records if record.error), "")
