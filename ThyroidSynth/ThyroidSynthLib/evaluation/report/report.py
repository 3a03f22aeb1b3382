"""An evaluation as files: its document for programs, tables for spreadsheets, and one HTML page for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.files import atomic_path, write_json, write_text
from ThyroidSynthLib.common.results import check_replaceable, replacing_result
from ThyroidSynthLib.evaluation import EVALUATION_FILE, REPORT_FILE
from ThyroidSynthLib.evaluation.experiments.evaluation import Evaluation
from ThyroidSynthLib.evaluation.metrics.generation import METHOD_LABELS, thyroid_rows
from ThyroidSynthLib.evaluation.metrics.headline import MEASURES
from ThyroidSynthLib.evaluation.report.document import document_of
from ThyroidSynthLib.evaluation.report.figures.illustrations import NAMES, illustrate

from .html import render_page
from .tables import write_table

TABLES = (
    "headline",
    "reconstruction",
    "held_out",
    "thyroids",
    "independent_targets",
    "distributions",
    "steering",
    "moves",
    "edits",
    "nearest",
    "disentanglement",
)
"""Names of all tables; empty ones are not written."""

EVALUATION_FILES = (
    REPORT_FILE,
    *(f"tables/{name}.csv" for name in TABLES),
    *(f"figures/{name}.png" for name in NAMES),
)
"""Every file that may be written beside `evaluation.json`."""


def check_evaluation_room(folder: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise `OutputError` if an evaluation in a folder would replace an input or a file of another origin."""
    check_replaceable(folder / EVALUATION_FILE, "evaluation", EVALUATION_FILES, overwrite=overwrite, inputs=inputs)


def write_evaluation(evaluation: Evaluation, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write `evaluation.json`, `tables/*.csv`, `figures/*.png` and the self-contained `report.html`.

    The JSON file is written last: if it exists, the others are complete.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    OutputError
        The folder holds an evaluation and `overwrite` is not set, or a file of another origin would be replaced,
        or the folder cannot be written.
    """
    folder = Path(folder)
    check_evaluation_room(folder, overwrite=overwrite)
    document = document_of(evaluation)
    illustrations = illustrate(evaluation)
    with replacing_result(folder / EVALUATION_FILE, "evaluation", EVALUATION_FILES, overwrite=overwrite) as new:
        for name, rows in _tables(evaluation, document).items():
            if rows:
                write_table(new / "tables" / f"{name}.csv", rows)
        for illustration in illustrations.values():
            with atomic_path(new / "figures" / f"{illustration.name}.png") as temporary:
                temporary.write_bytes(illustration.png)
        page = render_page("evaluation.html", document=document, illustrations=illustrations)
        write_text(new / REPORT_FILE, page)
        write_json(new / EVALUATION_FILE, document)
    return folder / REPORT_FILE


def _tables(evaluation: Evaluation, document: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    steering = document["steering"]
    agreements = {label: steering[name] for name, label in METHOD_LABELS.items()}
    agreements["steering to independent targets"] = steering["independent"].get("agreement", {})
    return {
        "headline": [
            {
                "key": measure.key,
                "group": measure.group,
                "measure": measure.label,
                # A share is stored as in the document, from 0 to 1.
                "unit": "" if measure.unit == "%" else measure.unit,
                "value": measure.of(document),
            }
            for measure in MEASURES
        ],
        "reconstruction": [item.as_row() for item in evaluation.training],
        "held_out": [item.as_row() for item in evaluation.held_out],
        "thyroids": thyroid_rows(evaluation.direct_sampling, METHOD_LABELS["direct_sampling"])
        + thyroid_rows(evaluation.to_target, METHOD_LABELS["to_target"]),
        "independent_targets": evaluation.independent.rows(),
        "distributions": [{"feature": name, **found} for name, found in document["distributions"].items()],
        "steering": [
            {"method": method, "feature": name, **_flat(found)}
            for method, features in agreements.items()
            for name, found in features.items()
        ],
        "moves": [row for name, found in evaluation.cross_talk.items() for row in found.rows(METHOD_LABELS[name])],
        "edits": evaluation.edits.rows() if evaluation.edits else [],
        "nearest": evaluation.novelty.rows(),
        "disentanglement": [
            {"feature": name, **found} for name, found in document["disentanglement"]["features"].items()
        ],
    }


def _flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with every interval in two columns."""
    row: dict[str, Any] = {}
    for name, value in found.items():
        if name.endswith("_interval"):
            low, high = value or (None, None)
            row |= {f"{name.removesuffix('_interval')}_low": low, f"{name.removesuffix('_interval')}_high": high}
        else:
            row[name] = value
    return row
