"""A cross-validation as files: its document, two tables, and one HTML page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.common.results import replacing_result
from ThyroidSynthLib.evaluation import CROSS_VALIDATION_FILE, REPORT_FILE
from ThyroidSynthLib.evaluation.metrics.headline import MEASURES, headline_values
from ThyroidSynthLib.evaluation.report.html import render_page
from ThyroidSynthLib.evaluation.report.tables import write_table
from ThyroidSynthLib.model.trained_model import NOTICE

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.evaluation.comparison.runs import Run

CROSS_VALIDATION_VERSION = 2
MEASURES_FILE = "measures.csv"
RUNS_FILE = "runs.csv"

SUMMARY_MEASURES = (
    "held_out_dice",
    "held_out_assd_mm",
    "direct_sampling_pcc_volume_ml",
    "direct_sampling_pcc_isthmus_area_mm2",
    "direct_sampling_pcc_symmetry",
    "independent_within",
    "valid_share",
)
"""Keys of the measures at the top of the page."""


@dataclass(frozen=True)
class RunSpread:
    """A measure over several runs; the last two are None unless there are several folds and several seeds."""

    count: int  # runs in which it was measured
    mean: float
    low: float
    high: float
    sd: float | None  # standard deviation over all of them (n - 1); None for a single run
    sd_folds: float | None  # SD of the folds' means over the seeds: the effect of the held-out cases
    sd_seeds: float | None  # SD of the seeds within a fold: the effect of the random seed


def spread_of(values: Sequence[float | None], folds: Sequence[int]) -> RunSpread | None:
    """Summarise a measure, given its value (None if not measured) and fold for each run; None if no run has it."""
    measured = [(value, fold) for value, fold in zip(values, folds, strict=True) if value is not None]
    if not measured:
        return None
    numbers, fold_of = (np.array(column) for column in zip(*measured, strict=True))
    by_fold = [numbers[fold_of == fold] for fold in np.unique(fold_of)]
    crossed = len(by_fold) > 1 and all(len(group) > 1 for group in by_fold)
    return RunSpread(
        count=len(numbers),
        mean=float(numbers.mean()),
        low=float(numbers.min()),
        high=float(numbers.max()),
        sd=float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
        sd_folds=float(np.std([group.mean() for group in by_fold], ddof=1)) if crossed else None,
        sd_seeds=float(np.sqrt(np.mean([group.var(ddof=1) for group in by_fold]))) if crossed else None,
    )


def write_cross_validation(
    folder: Path,
    cohort: Cohort,
    plan: Mapping[str, Any],
    finished: Sequence[tuple[Run, Mapping[str, Any]]],
    *,
    planned: int,
) -> dict[str, Any]:
    """Summarise the finished runs, each with the document of its evaluation, of `planned` ones.

    Write the summary to the folder, replacing an earlier one, and return the content of ``cross_validation.json``.
    """
    runs = [_run(run, evaluation, len(cohort.ids)) for run, evaluation in finished]
    measures = _measures(runs)
    document: dict[str, Any] = {
        "kind": "cross-validation",
        "format_version": CROSS_VALIDATION_VERSION,
        "notice": NOTICE,
        "software": f"ThyroidSynth {__version__}",
        "synthetic_cohort": cohort.synthetic,
        "cohort": cohort.provenance(),
        "plan": dict(plan),
        "planned": planned,
        "complete": len(finished) == planned,
        "runs": runs,
        "measures": measures,
    }
    page = render_page("cross_validation.html", document=document, summary_measures=SUMMARY_MEASURES)
    names = (MEASURES_FILE, RUNS_FILE, REPORT_FILE)
    with replacing_result(folder / CROSS_VALIDATION_FILE, document["kind"], names, overwrite=True) as new:
        write_table(new / MEASURES_FILE, measures)
        write_table(new / RUNS_FILE, [_row(run) for run in runs])
        write_text(new / REPORT_FILE, page)
        write_json(new / CROSS_VALIDATION_FILE, document)
    return document


def _run(run: Run, evaluation: Mapping[str, Any], cases: int) -> dict[str, Any]:
    return {
        "name": run.name,
        "fold": run.fold,
        "seed": run.seed,
        "cases": cases - len(run.held_out),
        "held_out": list(run.held_out),
        "model_checksum": evaluation["model"]["checksum"],
        "measures": headline_values(evaluation),
    }


def _measures(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for measure in MEASURES:
        spread = spread_of([run["measures"][measure.key] for run in runs], [run["fold"] for run in runs])
        if spread is not None:
            found.append(
                {"key": measure.key, "group": measure.group, "label": measure.label, "unit": measure.unit}
                | asdict(spread)
            )
    return found


def _row(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": run["name"],
        "fold": run["fold"],
        "seed": run["seed"],
        "cases": run["cases"],
        "held_out": len(run["held_out"]),
        **run["measures"],
    }
