"""A patient as the Python API takes it: a path or a case, and names for label numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import find_case
from ThyroidSynthLib.dataset.cases import Case, read_case
from ThyroidSynthLib.geometry.surface import Surface

if TYPE_CHECKING:
    from ThyroidSynthLib.evaluation.experiments.fitted_shapes import GivenShape

_FEWEST_POINTS = 50

Labels: TypeAlias = Mapping[int, str] | str
"""Names of label numbers: ``{1: "thyroid", 2: "trachea"}``, "thyroid=1,trachea=2", a file of them, or "total-v2"."""


def case_of(patient: Path | str | Case, labels: Labels | None = None) -> Case:
    """Return a case, or read the one at a path; `InputError` if there is none or several."""
    return patient if isinstance(patient, Case) else read_case(find_case(patient, labels=label_names(labels)))


def shape_of(
    patient: Path | str | Case | Surface | np.ndarray, trachea_centre: Sequence[float], space: str | None
) -> GivenShape:
    """Return a thyroid that is given as a mesh or points; `InputError` if it is a segmentation or impossible."""
    from ThyroidSynthLib.dataset.meshes import centres_of
    from ThyroidSynthLib.evaluation.experiments.fitted_shapes import GivenShape, read_shape

    if len(trachea_centre) != 3:
        raise InputError(f"trachea_centre={trachea_centre} is not three coordinates in mm (RAS). Correct it.")
    centre = centres_of((float(trachea_centre[0]), float(trachea_centre[1]), float(trachea_centre[2]))).of("")
    if isinstance(patient, Case):
        raise InputError("A case has a trachea of its own. Leave out trachea_centre.")
    if isinstance(patient, Surface):
        return GivenShape("surface", patient, centre)
    if isinstance(patient, np.ndarray):
        if patient.ndim != 2 or patient.shape[1] != 3 or len(patient) < _FEWEST_POINTS:
            raise InputError(f"The points have the shape {patient.shape}. Give (n, 3), with {_FEWEST_POINTS} or more.")
        return GivenShape("points", Surface(patient, np.empty((0, 3))), centre)
    return read_shape(Path(patient).stem, Path(patient), centre, space=space)


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
