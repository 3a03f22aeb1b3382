"""The evaluation as files: numbers for programs, tables for spreadsheets, one page for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..files import atomic_path, write_json, write_text
from . import EVALUATION_FILE, REPORT_FILE
from .evaluate import Evaluation, check_free
from .generation import thyroid_rows
from .illustrations import illustrate
from .page import page_of


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
    thyroids = thyroid_rows(evaluation.one_shot, "one-shot") + thyroid_rows(evaluation.to_target, "to target")
    try:
        (folder / EVALUATION_FILE).unlink(missing_ok=True)
        _write_table(folder / "tables" / "reconstruction.csv", [item.as_row() for item in evaluation.reconstructions])
        _write_table(folder / "tables" / "thyroids.csv", thyroids)
        for illustration in illustrations.values():
            with atomic_path(folder / "figures" / f"{illustration.name}.png") as temporary:
                temporary.write_bytes(illustration.png)
        write_text(folder / REPORT_FILE, page_of(document, illustrations))
        write_json(folder / EVALUATION_FILE, document)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error}). Choose a writable folder.") from error
    return folder / REPORT_FILE


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({key: _cell(value) for key, value in row.items()})
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else value
