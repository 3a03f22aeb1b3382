"""The evaluation as files: numbers for programs, tables for spreadsheets, one page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..files import atomic_path, write_json, write_text
from . import EVALUATION_FILE, REPORT_FILE
from .evaluate import Evaluation, check_free
from .generation import thyroid_rows
from .headline import MEASURES
from .illustrations import NAMES, illustrate
from .page import page_of
from .tables import write_table


def write_evaluation(evaluation: Evaluation, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write `evaluation.json`, `tables/*.csv`, `figures/*.png` and the self-contained `report.html`.

    The JSON file comes last: where it is, all others are.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    OutputError
        The folder holds an evaluation and `overwrite` is not set, or cannot be written.
    """
    folder = Path(folder)
    check_free(folder, overwrite=overwrite)
    document = evaluation.document()
    illustrations = illustrate(evaluation)
    try:
        (folder / EVALUATION_FILE).unlink(missing_ok=True)
        # Tables and figures of an earlier, larger evaluation would be taken for this one's.
        for name in NAMES:
            (folder / "figures" / f"{name}.png").unlink(missing_ok=True)
        for name, rows in _tables(evaluation, document).items():
            (folder / "tables" / f"{name}.csv").unlink(missing_ok=True)
            if rows:
                write_table(folder / "tables" / f"{name}.csv", rows)
        for illustration in illustrations.values():
            with atomic_path(folder / "figures" / f"{illustration.name}.png") as temporary:
                temporary.write_bytes(illustration.png)
        write_text(folder / REPORT_FILE, page_of(document, illustrations))
        write_json(folder / EVALUATION_FILE, document)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error}). Choose a writable folder.") from error
    return folder / REPORT_FILE


def _tables(evaluation: Evaluation, document: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    steering = document["steering"]
    agreements = {
        "one-shot": steering["one_shot"],
        "to target": steering["to_target"],
        "independent targets": steering["independent"].get("agreement", {}),
    }
    return {
        "headline": [
            {
                "key": measure.key,
                "group": measure.group,
                "measure": measure.label,
                # A share is stored as it is in the document, from 0 to 1.
                "unit": "" if measure.unit == "%" else measure.unit,
                "value": measure.of(document),
            }
            for measure in MEASURES
        ],
        "reconstruction": [item.as_row() for item in evaluation.training],
        "held_out": [item.as_row() for item in evaluation.held_out],
        "thyroids": thyroid_rows(evaluation.one_shot, "one-shot") + thyroid_rows(evaluation.to_target, "to target"),
        "independent_targets": evaluation.independent.rows(),
        "distributions": [{"feature": name, **found} for name, found in document["distributions"].items()],
        "steering": [
            {"method": method, "feature": name, **_flat(found)}
            for method, features in agreements.items()
            for name, found in features.items()
        ],
        "moves": [row for name, found in evaluation.leakage.items() for row in found.rows(name.replace("_", " "))],
        "edits": evaluation.edits.rows() if evaluation.edits else [],
        "nearest": evaluation.novelty.rows(),
        "disentanglement": [
            {"feature": name, **found} for name, found in document["disentanglement"]["features"].items()
        ],
    }


def _flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """Spread intervals over two columns."""
    row: dict[str, Any] = {}
    for name, value in found.items():
        if name.endswith("_interval"):
            low, high = value or (None, None)
            row |= {f"{name.removesuffix('_interval')}_low": low, f"{name.removesuffix('_interval')}_high": high}
        else:
            row[name] = value
    return row
