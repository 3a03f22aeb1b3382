"""The table of verdicts, quality.csv: one row per case, accepted or not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import write_text
from ThyroidSynthLib.common.text_files import number_of, rows_of_table
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .case_preparation import CaseRecord
from .finding.ids import readable
from .finding.tree import PassedOver
from .quality import QualityMeasurements

QUALITY_FILE = "quality.csv"
PASSED_OVER = "passed over"
# Spreadsheets run a cell that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@")
_FEATURE_COLUMNS = {name: f"surface_{name}" if name == "volume_ml" else name for name in FEATURE_NAMES}
COLUMNS = (
    "id",
    "verdict",
    "reasons",
    "manual_decision",
    *(field.name for field in fields(QualityMeasurements)),
    *_FEATURE_COLUMNS.values(),
    "notes",
    "error",
    "files",
)


def write_quality_table(path: Path, records: Iterable[CaseRecord], passed_over: Iterable[PassedOver] = ()) -> None:
    """Write one row per case, and one for all files in a folder that were passed over for the same reason.

    `verdict` is accepted, refused, unreadable or passed over. Lists are joined by "; ".
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        row = {"id": _text(record.id), "error": _text(record.error), "files": _text("; ".join(record.source["files"]))}
        row["verdict"] = "unreadable" if record.error else "accepted" if record.accepted else "refused"
        row["reasons"] = "; ".join(record.verdict.reasons)
        row["notes"] = _text("; ".join(record.verdict.notes))
        row["manual_decision"] = record.verdict.manual_decision
        if not record.error:
            row.update({name: _cell(value) for name, value in asdict(record.verdict.measurements).items()})
        if record.shape is not None:
            row.update({_FEATURE_COLUMNS[name]: _cell(value) for name, value in record.shape.features.items()})
        writer.writerow(row)
    for entry in passed_over:
        files = f"{entry.path}: {entry.text()}"
        writer.writerow({"verdict": PASSED_OVER, "reasons": _text(entry.reason), "files": _text(files)})
    write_text(path, text.getvalue())


@dataclass(frozen=True)
class CaseVerdict:
    """A row of the table.

    Attributes
    ----------
    accepted : bool
        Whether the case belongs to the cohort.
    accepted_by_rules : bool
        Whether it would without a manual decision.
    reasons, notes : tuple of str
        See `QualityVerdict`.
    error : str
        Why the case could not be read; empty if it could.
    features : dict of str to float or None
        Features of its surface by name; None if it has no surface and cannot be included.
    """

    id: str
    accepted: bool
    accepted_by_rules: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    error: str
    features: dict[str, float] | None


def read_quality_table(path: Path | str) -> list[CaseVerdict]:
    """Read the cases in a table of `write_quality_table`; `InputError` if it is missing or is not such a table."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist. Check the cases first.")
    columns, rows = rows_of_table(path)
    found = []
    for line, row in rows:
        try:
            if row["verdict"] != PASSED_OVER:
                found.append(_verdict(row))
        except (KeyError, ValueError) as error:
            fault = f"the column {error} is missing" if isinstance(error, KeyError) else f"line {line}: {error}"
            raise InputError(f"{path} is not a table of verdicts ({fault}). Check the cases again.") from None
    if "verdict" not in columns:
        raise InputError(f"{path} is not a table of verdicts. Check the cases again.")
    return found


def _verdict(row: Mapping[str, str]) -> CaseVerdict:
    accepted = row["verdict"] == "accepted"
    measured = bool(row[_FEATURE_COLUMNS["volume_ml"]])
    return CaseVerdict(
        id=_plain(row["id"]),
        accepted=accepted,
        # A manual decision is only recorded where it differs from that of the rules.
        accepted_by_rules=accepted != bool(row["manual_decision"]),
        reasons=tuple(filter(None, row["reasons"].split("; "))),
        notes=tuple(filter(None, _plain(row["notes"]).split("; "))),
        error=_plain(row["error"]),
        features={name: number_of(row[column]) for name, column in _FEATURE_COLUMNS.items()} if measured else None,
    )


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _text(text: str) -> str:
    """Return a text that a spreadsheet shows as it is: no formula, no control characters, nothing but UTF-8."""
    shown = readable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
