"""quality.csv: what quality control said about every case, accepted or not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ..files import write_text
from .case_step import CaseRecord
from .features import FEATURE_NAMES

QUALITY_FILE = "quality.csv"
COLUMNS = (
    "id",
    "verdict",
    "reasons",
    "overruled",
    "volume_ml",
    "components",
    "specks_dropped",
    "speck_voxels",
    "hole_voxels",
    "border_distance_voxels",
    "trachea_ml",
    *(f"surface_{name}" if name == "volume_ml" else name for name in FEATURE_NAMES),
    "notes",
    "error",
    "files",
)


def write_quality_table(path: Path, records: Iterable[CaseRecord]) -> None:
    """Write one line per case; `verdict` is accepted, refused or unreadable, lists are joined by "; "."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        row = {"id": record.id, "error": record.error, "files": "; ".join(record.source["files"])}
        row["verdict"] = "unreadable" if record.error else "accepted" if record.accepted else "refused"
        row["reasons"] = "; ".join(record.verdict.reasons)
        row["notes"] = "; ".join(record.verdict.notes)
        row["overruled"] = record.verdict.overruled
        if not record.error:
            row.update({name: _written(value) for name, value in asdict(record.verdict.measurements).items()})
        if record.shape is not None:
            for name, value in record.shape.features.items():
                row[f"surface_{name}" if name == "volume_ml" else name] = _written(value)
        writer.writerow(row)
    write_text(path, text.getvalue())


def _written(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
