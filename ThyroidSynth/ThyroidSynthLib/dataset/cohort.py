"""A prepared cohort: measured, centred shapes and their SDF samples, opened in no memory to speak of.

A cohort folder holds::

    cohort.json     frame, and per case id, features, placement, quality and checksums; written last
    samples.npy     float32 (n, samples per shape, 4): x, y, z and SDF in `unit`, negative inside
    surfaces/       one PLY per shape, in `trachea_mm`
    quality.csv     the verdict on every case, also on those refused
    cases/          what was found per case, so that preparing again does only what is new
    prepare.json    what the folder is prepared from and how
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.common.files import read_json, sha256_of
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import read_ply

from .row_view import RowView

COHORT_FILE = "cohort.json"
SAMPLES_FILE = "samples.npy"
SURFACES_FOLDER = "surfaces"
FORMAT = "thyroidsynth cohort"
FORMAT_VERSION = 1

_CHECKED = ("format", "version", "synthetic", "frame", "feature_names", "samples")
_CHECKED_OF_CASE = ("id", "features", "trachea_to_ras", "surface_sha256", "samples_sha256")


@dataclass(frozen=True)
class Cohort:
    """Prepared shapes. Row i of everything belongs to ``ids[i]``.

    Attributes
    ----------
    folder : Path
        Where it lies.
    ids : tuple of str
        The cases, sorted.
    features : ndarray, shape (n, 3)
        In the order of `FEATURE_NAMES`.
    frame : Frame
        The cohort's `unit` frame, with the box in `trachea_mm` that holds every surface.
    samples : memmap or RowView of float32, shape (n, samples per shape, 4)
        x, y, z and signed distance in `unit`, negative inside; read-only, on the disk.
    checksum : str
        SHA-256 over what the cohort is: ids, features, frame and the checksums of surfaces and samples.
        The same cases prepared the same way have it wherever they lie.
    synthetic : bool
        Whether the cases are software input, not anatomy.
    document : dict
        All of ``cohort.json``; of a part, with its own cases only.
    whole : Cohort, optional
        What this is a part of, see `part`; None for a cohort as it was prepared.
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
            raise CohortError(f"{folder} does not exist. Make it with 'thyroidsynth prepare', or check the path.")
        path = folder / COHORT_FILE
        if not path.is_file():
            begun = (folder / "prepare.json").is_file() or (folder / SAMPLES_FILE).is_file()
            raise CohortError(
                f"The preparation of {folder} was not finished. Prepare it again; it goes on where it was."
                if begun
                else f"{folder} is not a cohort (it has no {COHORT_FILE}). Make one with 'thyroidsynth prepare'."
            )
        try:
            document = read_json(path)
        except InputError as error:
            raise _damaged(path, str(error)) from error
        return _cohort_of(folder, document)

    @property
    def statement(self) -> str:
        """What its source says of being synthetic; empty for real data."""
        return self.document.get("statement", "")

    @property
    def held_out(self) -> tuple[str, ...]:
        """The cases of the whole that this part has not; none where this is the whole."""
        if self.whole is None:
            return ()
        own = set(self.ids)
        return tuple(case_id for case_id in self.whole.ids if case_id not in own)

    def part(self, ids: Iterable[str]) -> Cohort:
        """Give this cohort with some of its cases, such as those to learn from; the others are held out.

        Frame and files stay the whole's, and the samples are looked at where they lie, so a part of a
        cohort of any size costs next to nothing. A part has a checksum of its own, that of its cases.

        Parameters
        ----------
        ids : iterable of str
            The cases, in any order; their rows stay in the cohort's order. With all of them the part is
            the cohort itself.

        Raises
        ------
        CohortError
            There is none, or one is not in the cohort.
        """
        wanted = set(ids)
        unknown = sorted(wanted.difference(self.ids))
        if unknown:
            named = ", ".join(unknown[:3]) + (", …" if len(unknown) > 3 else "")
            raise CohortError(
                f"{self.folder} has no case {named}. Its {len(self.ids)} cases are in {self.folder / COHORT_FILE}."
            )
        if not wanted:
            raise CohortError(f"No case of {self.folder} is left. Hold out fewer of its {len(self.ids)} cases.")
        if len(wanted) == len(self.ids):
            return self
        whole = self.whole or self
        rows = np.array([row for row, case_id in enumerate(whole.ids) if case_id in wanted])
        document = {**whole.document, "cases": [whole.document["cases"][row] for row in rows]}
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

    def index(self, case_id: str) -> int:
        """Give the row of a case.

        Raises
        ------
        CohortError
            It is not in the cohort.
        """
        try:
            return self.ids.index(case_id)
        except ValueError:
            raise CohortError(
                f"{self.folder} has no case {case_id}. Its {len(self.ids)} cases are in {self.folder / COHORT_FILE}."
            ) from None

    def surface(self, case_id: str) -> Surface:
        """Read the surface of a case, in `trachea_mm`.

        Raises
        ------
        CohortError
            The case is not in the cohort or its surface is missing or damaged.
        """
        try:
            return read_ply(self.folder / self.document["cases"][self.index(case_id)]["surface"])
        except InputError as error:
            raise CohortError(f"{error} Prepare the cohort again: only what is missing is made anew.") from error

    def placement(self, case_id: str) -> Placement:
        """Give where the trachea frame lies in a case's patient."""
        return Placement(self.document["cases"][self.index(case_id)]["trachea_to_ras"])

    def provenance(self) -> dict[str, Any]:
        """Describe the cohort for a model file or a report, which travel: no paths of this machine.

        A part also says what it is a part of, and which cases of that it has not.
        """
        described = {
            "checksum": self.checksum,
            "cases": len(self.ids),
            "synthetic": self.synthetic,
            "statement": self.statement,
            "source": Path(self.document.get("source", "")).name,
        }
        if self.whole is None:
            return described
        held_out = self.held_out
        return described | {
            "part": f"{len(self.ids)} of {len(self.whole.ids)} cases, held out: {len(held_out)}",
            "whole": {"checksum": self.whole.checksum, "cases": len(self.whole.ids)},
            "held_out": list(held_out),
        }

    def verify(self) -> None:
        """Read every surface and sample and compare them with their checksums.

        Raises
        ------
        CohortError
            One differs.
        """
        for row, case in enumerate(self.document["cases"]):
            surface = self.folder / case["surface"]
            if not surface.is_file() or sha256_of(surface) != case["surface_sha256"]:
                raise _damaged(surface, "it is not what was prepared")
            if sample_checksum(self.samples[row]) != case["samples_sha256"]:
                raise _damaged(self.folder / SAMPLES_FILE, f"the samples of {case['id']} are not what was prepared")


def cohort_checksum(document: dict[str, Any]) -> str:
    """Sum up what a cohort is, leaving out where and when it was made."""
    content = {name: document[name] for name in _CHECKED}
    content["cases"] = [{name: case[name] for name in _CHECKED_OF_CASE} for case in document["cases"]]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sample_checksum(row: np.ndarray) -> str:
    """Give the checksum of one shape's samples."""
    return hashlib.sha256(np.ascontiguousarray(row, dtype="<f4")).hexdigest()


def _cohort_of(folder: Path, document: Any) -> Cohort:
    path = folder / COHORT_FILE
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CohortError(f"{path} is not a cohort's. Choose a folder made with 'thyroidsynth prepare'.")
    if document.get("version") != FORMAT_VERSION:
        raise CohortError(
            f"{path} has format version {document.get('version')}, and this version of ThyroidSynth reads "
            f"{FORMAT_VERSION}. Prepare the cohort again, or use the version it was made with."
        )
    try:
        if cohort_checksum(document) != document["checksum"]:
            raise _damaged(path, "its content does not match its checksum")
        cases, names = document["cases"], document["feature_names"]
        features = np.array([[case["features"][name] for name in FEATURE_NAMES] for case in cases], dtype=np.float64)
        frame = Frame.from_json(document["frame"])
        shape = (len(cases), document["samples"]["per_shape"], 4)
        ids = tuple(case["id"] for case in cases)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if tuple(names) != FEATURE_NAMES or not cases:
        raise _damaged(path, "it has no cases or other features")
    samples_path = folder / SAMPLES_FILE
    try:
        samples = np.load(samples_path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _damaged(samples_path, str(error)) from error
    if samples.shape != shape or samples.dtype != np.dtype("<f4"):
        raise _damaged(samples_path, f"it holds {samples.shape} instead of {shape}")
    return Cohort(folder, ids, features, frame, samples, document["checksum"], bool(document["synthetic"]), document)


def _damaged(path: Path, what: str) -> CohortError:
    return CohortError(f"{path} is damaged ({what}). Prepare the cohort again: only what is missing is made anew.")
