"""A patient as the Python API takes it: a path or a case, and names for label numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import find_case
from ThyroidSynthLib.dataset.cases import Case, read_case

Labels: TypeAlias = Mapping[int, str] | str
"""Names of label numbers: ``{1: "thyroid", 2: "trachea"}``, "thyroid=1,trachea=2", a file of them, or "total-v2"."""


def case_of(patient: Path | str | Case, labels: Labels | None = None) -> Case:
    """Return a case, or read the one at a path; `InputError` if there is none or several."""
    return patient if isinstance(patient, Case) else read_case(find_case(patient, labels=label_names(labels)))


def label_names(labels: Labels | None) -> dict[int, str] | None:
    """Return the names of label numbers that a user gave; `InputError` if they are none."""
    from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels
    from ThyroidSynthLib.imaging.segmentations.given_labels import TABLE_SUFFIXES, labels_from_text

    if labels is None:
        return None
    if isinstance(labels, Mapping):
        if not all(isinstance(name, str) for name in labels.values()):
            raise InputError(f"labels={labels!r} has no names. Write numbers and names, such as {{1: 'thyroid'}}.")
        # What separates the pairs of a list only separates words in a name ("thyroid, left").
        names = {number: re.sub(r"[,;=\s]+", " ", name) for number, name in labels.items()}
        labels = ",".join(f"{name}={number}" for number, name in names.items())
    is_list = "=" in labels or labels.lower().endswith(TABLE_SUFFIXES)
    return labels_from_text(labels) if is_list else class_map_labels(labels)
