"""One organ of a cohort: the cases that have it, their features and samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.text_files import entry
from ThyroidSynthLib.dataset.rows.row_view import RowView
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import read_ply

from .organ_shapes import ORGAN_FEATURES

ENTRIES: dict[tuple[str, ...], type] = {
    ("feature_names",): list,
    ("cases",): list,
    ("samples", "per_shape"): int,
    ("frame", "alignment"): str,
    ("frame", "scale_mm"): list,
    ("frame", "lower_mm"): list,
    ("frame", "upper_mm"): list,
}
"""What ``cohort.json`` holds of the thyroids, and of each organ."""
ENTRIES_OF_CASE: dict[tuple[str, ...], type] = dict.fromkeys(
    (("id",), ("surface",), ("surface_sha256",), ("samples_sha256",)), str
)

_ENTRIES: dict[tuple[str, ...], type] = {**ENTRIES, ("samples", "file"): str}
_ENTRIES_OF_CASE: dict[tuple[str, ...], type] = {
    **ENTRIES_OF_CASE,
    ("seen_shape",): list,
    ("seen_to_trachea",): list,
    **{("features", name): float for name in ORGAN_FEATURES},
}


@dataclass(frozen=True)
class OrganCohort:
    """An organ of a cohort, as training reads it. Row i of every array belongs to the case ``ids[i]``.

    Attributes
    ----------
    name : str
        As in the segmentations.
    ids : tuple of str
        The cases that have the organ, sorted.
    features : ndarray, shape (n, 2)
        In the order of `ORGAN_FEATURES`.
    frame : Frame
        The `unit` frame of the organs, with the box outside of which nothing is known.
    samples : ndarray or RowView of float32, shape (n, samples per shape, 4)
        x, y, z and signed distance in `unit`, negative inside.
    """

    folder: Path
    name: str
    ids: tuple[str, ...]
    features: np.ndarray
    frame: Frame
    samples: np.ndarray | RowView
    document: dict[str, Any]

    @classmethod
    def of(cls, folder: Path, name: str, document: dict[str, Any], samples: np.ndarray | RowView) -> OrganCohort:
        """Return the organ that an entry of ``cohort.json`` describes."""
        cases = document["cases"]
        values = [[case["features"][feature] for feature in ORGAN_FEATURES] for case in cases]
        features = np.array(values, dtype=np.float64).reshape(-1, len(ORGAN_FEATURES))
        ids = tuple(case["id"] for case in cases)
        return cls(folder, name, ids, features, Frame.from_json(document["frame"]), samples, document)

    @property
    def checksum(self) -> str:
        """SHA-256 of the entry in ``cohort.json``, which has the checksums of surfaces and samples."""
        return hashlib.sha256(json.dumps([self.name, self.document], sort_keys=True).encode()).hexdigest()

    @property
    def tracheas(self) -> None:
        """None: how thyroids lie on tracheas belongs to the thyroid."""

    def surface(self, case_id: str) -> Surface:
        """Read the surface of a case's organ, in `trachea_mm`; `InputError` if it is missing or damaged."""
        return read_ply(self.folder / self.document["cases"][self.ids.index(case_id)]["surface"])

    def provenance(self) -> dict[str, Any]:
        """Describe the organ for a model file."""
        return {"checksum": self.checksum, "cases": len(self.ids)}


def check_organs(organs: Mapping[str, Any]) -> None:
    """Raise `ValueError` with the name of an entry on organs that is missing, or of another kind."""
    for name in organs:
        document = entry(organs, name, kind=dict)
        for keys, kind in _ENTRIES.items():
            entry(document, *keys, kind=kind)
        if tuple(document["feature_names"]) != ORGAN_FEATURES or not document["cases"]:
            raise ValueError(f"the organ {name} has no cases, or features of another version")
        for path in [document["samples"]["file"], *_surfaces(document)]:
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise ValueError(f"a file of the organ {name} lies outside the folder")


def _surfaces(document: Mapping[str, Any]) -> list[str]:
    found = []
    for case in document["cases"]:
        for keys, kind in _ENTRIES_OF_CASE.items():
            entry(case, *keys, kind=kind)
        found.append(case["surface"])
    return found
