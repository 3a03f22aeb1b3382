"""A prepared cohort: shapes with their features, and SDF samples that stay on the disk.

A cohort folder holds::

    cohort.json     frame, and per case id, features, placement, quality and checksums; written last
    samples.npy     float32 (n, samples per shape, 4): x, y, z and SDF in `unit`, negative inside
    samples.rows    checksums of the samples, from which an interrupted preparation is resumed
    surfaces/       one PLY file per shape, in `trachea_mm`
    quality.csv     the verdict on every case, accepted or not
    cases/          one record per case, so that another preparation processes only new cases
    organs/         for each organ beside the thyroid a folder with its own surfaces/ and samples.npy
    prepare.json    source and options of the preparation
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.common.files import read_json, sha256_of
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.common.text_files import entry, listed_shortly
from ThyroidSynthLib.dataset.rows.row_view import RowView
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.rigid.lying import OnTrachea
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import read_ply

from .organs.organ_cohort import ENTRIES, ENTRIES_OF_CASE, OrganCohort, check_organs

COHORT_FILE = "cohort.json"
SAMPLES_FILE = "samples.npy"
SURFACES_FOLDER = "surfaces"
FORMAT = "thyroidsynth cohort"
FORMAT_VERSION = 1

_CHECKED = ("format", "version", "synthetic", "frame", "feature_names", "samples")
_ENTRIES: dict[tuple[str, ...], type] = {
    ("checksum",): str,
    ("synthetic",): bool,
    **ENTRIES,
}
_ENTRIES_OF_CASE: dict[tuple[str, ...], type] = {
    **ENTRIES_OF_CASE,
    ("trachea_to_ras",): list,
    **{("features", name): float for name in FEATURE_NAMES},
}
_ON_TRACHEA = tuple(field.name for field in fields(OnTrachea))
_CHECKED_OF_CASE = ("id", "features", "trachea_to_ras", "surface_sha256", "samples_sha256")


@dataclass(frozen=True)
class Cohort:
    """Prepared shapes. Row i of every array belongs to the case ``ids[i]``.

    Attributes
    ----------
    ids : tuple of str
        Ids of the cases, sorted.
    features : ndarray, shape (n, 3)
        Features in the order of `FEATURE_NAMES`.
    frame : Frame
        The `unit` frame of the cohort.
    samples : memmap or RowView of float32, shape (n, samples per shape, 4)
        x, y, z and signed distance in `unit`, negative inside; read-only, on the disk.
    checksum : str
        SHA-256 of ids, features, frame and the checksums of surfaces and samples. It does not depend on
        where and when the cohort was prepared.
    document : dict
        Content of ``cohort.json``; that of a part has only its own cases.
    whole : Cohort, optional
        The cohort of which this is a part, see `part`; None for a complete one.
    """

    folder: Path
    ids: tuple[str, ...]
    features: np.ndarray
    frame: Frame
    samples: np.memmap | RowView
    checksum: str
    synthetic: bool
    document: dict[str, Any]
    whole: Cohort | None = None

    @classmethod
    def open(cls, folder: Path | str) -> Cohort:
        """Open a cohort folder.

        Raises
        ------
        CohortError
            The folder is missing, its preparation was not finished, or it is damaged.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise CohortError(f"{folder} does not exist. Check the path, or make a cohort with 'thyroidsynth prepare'.")
        path = folder / COHORT_FILE
        if not path.is_file():
            begun = (folder / "prepare.json").is_file() or (folder / SAMPLES_FILE).is_file()
            raise CohortError(
                f"The preparation of {folder} was not finished. Prepare it again to resume."
                if begun
                else f"{folder} is not a cohort (it has no {COHORT_FILE}). Prepare one with 'thyroidsynth prepare'."
            )
        try:
            document = read_json(path)
        except InputError as error:
            raise _damaged(path, str(error)) from error
        return _cohort_of(folder, document)

    @property
    def statement(self) -> str:
        """Statement of a synthetic dataset about itself; empty for real data."""
        return self.document.get("statement", "")

    @property
    def lengths(self) -> str:
        """Statement that lengths are not in millimetres, if their scale is unknown; empty otherwise."""
        return self.document.get("lengths", "")

    @cached_property
    def organs(self) -> Mapping[str, OrganCohort]:
        """The organs that were prepared beside the thyroid, by name, with those cases of this cohort that have them.

        `CohortError` if their samples are missing or damaged.
        """
        of_whole = (self.whole or self).document.get("organs", {})
        found = (_organ_of(self.folder, name, organ, set(self.ids)) for name, organ in of_whole.items())
        return {organ.name: organ for organ in found if organ.ids}

    @property
    def tracheas(self) -> np.ndarray | None:
        """How each thyroid lies on its trachea, shape (n, 3) in the order of `OnTrachea`; None unless all are known."""
        found = [case.get("trachea") for case in self.document["cases"]]
        return np.array([[each[name] for name in _ON_TRACHEA] for each in found]) if all(found) else None

    @property
    def held_out(self) -> tuple[str, ...]:
        """Ids of the cases of the whole cohort that are not in this part; none for a complete cohort."""
        if self.whole is None:
            return ()
        return tuple(sorted(set(self.whole.ids).difference(self.ids)))

    def part(self, ids: Iterable[str]) -> Cohort:
        """Return a part of this cohort, such as its training cases; the others are held out.

        The part uses the frame and the files of the whole cohort and copies no samples. It has a checksum
        of its own.

        Parameters
        ----------
        ids : iterable of str
            The cases, in any order; the order of the rows is that of the cohort. With all of them the
            cohort itself is returned.

        Raises
        ------
        CohortError
            There is no id, or one is not in the cohort.
        """
        chosen = set(ids)
        unknown = sorted(chosen.difference(self.ids))
        if unknown:
            raise self._has_no(listed_shortly(unknown))
        if not chosen:
            raise CohortError(f"No case of {self.folder} is left. Hold out fewer of its {len(self.ids)} cases.")
        if len(chosen) == len(self.ids):
            return self
        whole = self.whole or self
        rows = np.array([row for row, case_id in enumerate(whole.ids) if case_id in chosen])
        document = {**whole.document, "cases": [whole.document["cases"][row] for row in rows]}
        if "organs" in document:
            document["organs"] = {
                name: {**organ, "cases": [case for case in organ["cases"] if case["id"] in chosen]}
                for name, organ in document["organs"].items()
            }
        document["checksum"] = cohort_checksum(document)
        return replace(
            whole,
            ids=tuple(whole.ids[row] for row in rows),
            features=whole.features[rows],
            samples=RowView(whole.samples, rows),
            checksum=document["checksum"],
            document=document,
            whole=whole,
        )

    def entry(self, case_id: str) -> dict[str, Any]:
        """Return the entry of a case in ``cohort.json``; `CohortError` if it is not in the cohort."""
        if case_id not in self.ids:
            raise self._has_no(case_id)
        return self.document["cases"][self.ids.index(case_id)]

    def _has_no(self, cases: str) -> CohortError:
        return CohortError(
            f"{self.folder} has no case {cases}. Its {len(self.ids)} cases are in {self.folder / COHORT_FILE}."
        )

    def surface(self, case_id: str) -> Surface:
        """Read the surface of a case, in `trachea_mm`; `CohortError` if it is missing or damaged."""
        try:
            return read_ply(self.folder / self.entry(case_id)["surface"])
        except InputError as error:
            raise CohortError(f"{error} Prepare the cohort again; only missing files are written again.") from error

    def placement(self, case_id: str) -> Placement:
        """Return the placement of the trachea frame in the patient of a case."""
        return Placement(np.array(self.entry(case_id)["trachea_to_ras"]))

    def provenance(self) -> dict[str, Any]:
        """Describe the cohort for a model file or a report, without paths of this computer.

        A part also names the whole cohort and the held-out cases.
        """
        described = {
            "checksum": self.checksum,
            "cases": len(self.ids),
            "synthetic": self.synthetic,
            "statement": self.statement,
            "source": "; ".join(Path(path).name for path in self.document.get("source", "").split("; ")),
        }
        if self.lengths:
            described["lengths"] = self.lengths
        if self.whole is None:
            return described
        held_out = self.held_out
        return described | {
            "part": f"{len(self.ids)} of {len(self.whole.ids)} cases, held out: {len(held_out)}",
            "whole": {"checksum": self.whole.checksum, "cases": len(self.whole.ids)},
            "held_out": list(held_out),
        }

    def verify(self) -> None:
        """Compare all surfaces and samples with their checksums; `CohortError` if one differs."""
        for row, case in enumerate(self.document["cases"]):
            surface = self.folder / case["surface"]
            if not surface.is_file() or sha256_of(surface) != case["surface_sha256"]:
                raise _damaged(surface, "its checksum differs")
            if sample_checksum(self.samples[row]) != case["samples_sha256"]:
                raise _damaged(self.folder / SAMPLES_FILE, f"the checksum of the samples of {case['id']} differs")
        for name, organ in self.organs.items():
            for row, case in enumerate(organ.document["cases"]):
                surface = self.folder / case["surface"]
                if not surface.is_file() or sha256_of(surface) != case["surface_sha256"]:
                    raise _damaged(surface, "its checksum differs")
                if sample_checksum(organ.samples[row]) != case["samples_sha256"]:
                    what = f"the checksum of the samples of the {name} of {case['id']} differs"
                    raise _damaged(self.folder / organ.document["samples"]["file"], what)


def cohort_checksum(document: dict[str, Any]) -> str:
    """Return the checksum of a cohort, which does not depend on where and when it was prepared."""
    content = {name: document[name] for name in _CHECKED}
    content["cases"] = [
        # Cohorts of earlier versions do not state how the thyroids lie on their tracheas.
        {name: case[name] for name in _CHECKED_OF_CASE} | {name: case[name] for name in ("trachea",) if name in case}
        for case in document["cases"]
    ]
    if "organs" in document:
        content["organs"] = document["organs"]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sample_checksum(row: np.ndarray) -> str:
    """Return the checksum of the samples of a shape."""
    return hashlib.sha256(np.ascontiguousarray(row, dtype="<f4").tobytes()).hexdigest()


def _cohort_of(folder: Path, document: Any) -> Cohort:
    path = folder / COHORT_FILE
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CohortError(f"{path} is not the file of a cohort. Choose a folder made with 'thyroidsynth prepare'.")
    if document.get("version") != FORMAT_VERSION:
        raise CohortError(
            f"{path} has format version {document.get('version')}, and this version of ThyroidSynth reads "
            f"{FORMAT_VERSION}. Prepare the cohort again, or use the version it was made with."
        )
    try:
        _check_entries(document)
        if cohort_checksum(document) != document["checksum"]:
            raise ValueError("its content does not match its checksum")
        cases = document["cases"]
        features = np.array([[case["features"][name] for name in FEATURE_NAMES] for case in cases], dtype=np.float64)
        frame = Frame.from_json(document["frame"])
        ids = tuple(case["id"] for case in cases)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    samples = _samples(folder / SAMPLES_FILE, document)
    return Cohort(folder, ids, features, frame, samples, document["checksum"], bool(document["synthetic"]), document)


def _organ_of(folder: Path, name: str, document: dict[str, Any], ids: set[str]) -> OrganCohort:
    """Return an organ, by its entry in the whole cohort, with those of its cases that are among `ids`."""
    samples = _samples(folder / document["samples"]["file"], document)
    cases = document["cases"]
    rows = [row for row, case in enumerate(cases) if case["id"] in ids]
    part = {**document, "cases": [cases[row] for row in rows]}
    return OrganCohort.of(folder, name, part, RowView(samples, np.array(rows)))


def _check_entries(document: dict[str, Any]) -> None:
    """Raise `ValueError` with the name of an entry that is missing, or of another kind."""
    for keys, kind in _ENTRIES.items():
        entry(document, *keys, kind=kind)
    for name in ("statement", "source", "lengths"):
        if name in document:
            entry(document, name, kind=str)
    if "organs" in document:
        check_organs(entry(document, "organs", kind=dict))
    if tuple(document["feature_names"]) != FEATURE_NAMES or not document["cases"]:
        raise ValueError("it has no cases, or features of another version")
    for case in document["cases"]:
        for keys, kind in _ENTRIES_OF_CASE.items():
            entry(case, *keys, kind=kind)
        for name in ("source", "quality", "trachea"):
            if case.get(name) is not None:
                entry(case, name, kind=dict)
        for name in _ON_TRACHEA if case.get("trachea") else ():
            entry(case, "trachea", name, kind=float)
        if np.shape(case["trachea_to_ras"]) != (4, 4):
            raise ValueError(f"the placement of case {case['id']} is not a 4 x 4 matrix")
        surface = Path(case["surface"])
        if surface.is_absolute() or ".." in surface.parts:
            raise ValueError(f"the surface of case {case['id']} lies outside the folder")


def _samples(path: Path, document: Mapping[str, Any]) -> np.memmap:
    """Open the samples of the cases of a document; `CohortError` if the file is missing, damaged or of others."""
    try:
        checked_file(path)
        with path.open("rb") as stream:
            # numpy maps only arrays; other files of numpy would be loaded as a whole.
            if stream.read(6) != b"\x93NUMPY":
                raise ValueError("not an array of numpy")
        samples = np.load(path, mmap_mode="r", allow_pickle=False)
    except InputError as error:
        raise _damaged(path, str(error)) from error
    except Exception as error:  # numpy raises many kinds of errors for a damaged header.
        raise _damaged(path, "it is not an array of samples") from error
    shape = (len(document["cases"]), document["samples"]["per_shape"], 4)
    if samples.shape != shape or samples.dtype != np.dtype("<f4"):
        raise _damaged(path, f"it holds {samples.shape} instead of {shape}")
    return samples


def _damaged(path: Path, what: str) -> CohortError:
    what = what.removeprefix(f"{path} ").rstrip(".")
    return CohortError(f"{path} is damaged ({what}). Prepare the cohort again; only missing files are written again.")
