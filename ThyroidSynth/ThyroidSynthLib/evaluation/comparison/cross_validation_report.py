"""A cross-validation as files: its document, two tables, and one page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.evaluation import CROSS_VALIDATION_FILE, REPORT_FILE
from ThyroidSynthLib.evaluation.metrics.headline import MEASURES, headline_values
from ThyroidSynthLib.evaluation.metrics.run_spread import spread_of
from ThyroidSynthLib.evaluation.report.tables import write_table
from ThyroidSynthLib.model.shape_model import NOTICE

from .cross_validation_page import page_of_runs

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.evaluation.comparison.runs import Run

MEASURES_FILE = "measures.csv"
RUNS_FILE = "runs.csv"


def write_cross_validation(
    folder: Path,
    cohort: Cohort,
    plan: Mapping[str, Any],
    finished: Sequence[tuple[Run, Mapping[str, Any]]],
    *,
    planned: int,
) -> dict[str, Any]:
    """Sum up the finished runs and write that; an earlier summary in the folder is replaced.

    Parameters
    ----------
    finished : sequence of (Run, dict)
        Each with the document of its evaluation.
    planned : int
        How many runs there will be.

    Returns
    -------
    dict
        What ``cross_validation.json`` holds.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    document = {
        "kind": "cross-validation",
        "format_version": 1,
        "notice": NOTICE,
        "software": f"ThyroidSynth {__version__}",
        "synthetic_cohort": cohort.synthetic,
        "cohort": cohort.provenance(),
        "plan": dict(plan),
        "planned": planned,
        "complete": len(finished) == planned,
        "runs": [_run(run, evaluation, len(cohort.ids)) for run, evaluation in finished],
    }
    document["measures"] = _measures(document["runs"])
    try:
        write_table(folder / MEASURES_FILE, document["measures"])
        write_table(folder / RUNS_FILE, [_row(run) for run in document["runs"]])
        write_text(folder / REPORT_FILE, page_of_runs(document))
        write_json(folder / CROSS_VALIDATION_FILE, document)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error}). Make room or choose another folder.") from error
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
            about = {"key": measure.key, "group": measure.group, "label": measure.label, "unit": measure.unit}
            found.append(about | asdict(spread))
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
