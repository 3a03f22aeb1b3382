"""The plan of a reader study: everything that is fixed when the study is created.

A study folder holds::

    study.json          the plan: seed, shapes with their kinds and checksums, which of them are repeated
    shapes/001.ply      the shapes as they are shown, in `ras_mm`, numbered in random order
    ct.nii.gz           the CT without the patient's gland, if shapes are shown over a CT
    ratings-NAME.csv    the ratings of a reader, one file for each
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json, sha256_of
from ThyroidSynthLib.common.text_files import entry, is_kind
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.ply import read_ply
from ThyroidSynthLib.imaging.volume_files import read_volume

from .candidates import REAL, SYNTHETIC
from .order import Showing, order_for

STUDY_FILE = "study.json"
SHAPES_FOLDER = "shapes"
CT_FILE = "ct.nii.gz"
KIND = "reader study"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class StudyShape:
    """A shape of a study.

    Attributes
    ----------
    number : int
        From 1, in random order.
    kind : str
        `REAL` or `SYNTHETIC`; readers never see it.
    name : str
        Its name in its source; readers never see it.
    features : dict of str to float
        Measured on the surface as it is shown; empty if its trachea frame is not known.
    extent_mm : float
        Longest edge of its bounding box.
    source : dict
        Where it comes from.
    file, sha256 : str
        Its surface in the study folder.
    """

    number: int
    kind: str
    name: str
    features: dict[str, float]
    extent_mm: float
    source: dict[str, Any]
    file: str
    sha256: str


@dataclass(frozen=True)
class StudyPlan:
    """A reader study in its folder.

    Attributes
    ----------
    seed : int
        Random seed of the choice of shapes, their numbers and every reader's order.
    shapes : tuple of StudyShape
        By number.
    repeated : tuple of int
        Numbers of the shapes that each reader sees twice.
    notices : tuple of str
        What must be said of its results.
    ct_sha256 : str
        Checksum of the CT over which shapes are shown; empty if they are shown alone.
    """

    folder: Path
    seed: int
    shapes: tuple[StudyShape, ...]
    repeated: tuple[int, ...]
    notices: tuple[str, ...] = ()
    ct_sha256: str = ""

    @classmethod
    def open(cls, folder: Path | str) -> StudyPlan:
        """Open a study folder.

        Raises
        ------
        InputError
            There is no study in the folder, or its plan is damaged.
        """
        folder = Path(folder)
        path = folder / STUDY_FILE
        if not folder.exists():
            raise InputError(f"{folder} does not exist. Check the path.")
        if not path.is_file():
            raise InputError(f"{folder} holds no reader study (no {STUDY_FILE}). Choose the folder of a study.")
        document = read_json(path)
        if not isinstance(document, dict) or document.get("kind") != KIND:
            raise InputError(f"{path} does not describe a reader study. Choose the folder of a study.")
        if document.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"{path} has format version {document.get('format_version')}, and this version of ThyroidSynth reads "
                f"{FORMAT_VERSION}. Use the version it was made with."
            )
        try:
            return _plan_of(folder, document)
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}). Restore it from a copy.") from error

    @property
    def over_ct(self) -> bool:
        """Whether shapes are shown over a CT."""
        return bool(self.ct_sha256)

    @property
    def shown(self) -> str:
        """How shapes are shown, in words."""
        return "over a CT without the patient's gland" if self.over_ct else "alone"

    def shape(self, number: int) -> StudyShape:
        """Return a shape by its number."""
        return self.shapes[number - 1]

    def surface(self, number: int) -> Surface:
        """Read the surface of a shape, in `ras_mm`; `InputError` if it is missing or was changed."""
        shape = self.shape(number)
        return read_ply(self._unchanged(shape.file, shape.sha256))

    def ct(self) -> Volume | None:
        """Read the CT over which shapes are shown; None if there is none, `InputError` if it was changed."""
        return read_volume(self._unchanged(CT_FILE, self.ct_sha256)) if self.over_ct else None

    def order_for(self, reader: str) -> tuple[Showing, ...]:
        """Return the order in which a reader, given by the key, sees the shapes."""
        return order_for(reader, self.seed, [shape.number for shape in self.shapes], self.repeated)

    def to_json(self) -> dict[str, Any]:
        """Return the plan for its JSON file."""
        return {
            "seed": self.seed,
            "shown": self.shown,
            "ct_sha256": self.ct_sha256,
            "repeated": list(self.repeated),
            "notices": list(self.notices),
            "shapes": [vars(shape) for shape in self.shapes],
        }

    def _unchanged(self, name: str, checksum: str) -> Path:
        path = self.folder / name
        if not path.is_file() or sha256_of(path) != checksum:
            raise InputError(f"{path} is missing or was changed since the study was created. Restore it from a copy.")
        return path


def _plan_of(folder: Path, document: Mapping[str, Any]) -> StudyPlan:
    shapes = tuple(
        StudyShape(
            entry(each, "number", kind=int),
            entry(each, "kind", kind=str),
            entry(each, "name", kind=str),
            {name: entry(each, "features", name, kind=float) for name in entry(each, "features", kind=dict)},
            float(entry(each, "extent_mm", kind=float)),
            entry(each, "source", kind=dict),
            entry(each, "file", kind=str),
            entry(each, "sha256", kind=str),
        )
        for each in entry(document, "shapes", kind=list)
    )
    repeated = tuple(entry(document, "repeated", kind=list))
    if not all(is_kind(number, int) for number in repeated):
        raise ValueError("a number of a repeated shape is no whole number")
    numbers = [shape.number for shape in shapes]
    if len(shapes) < 2 or numbers != list(range(1, len(shapes) + 1)):
        raise ValueError("its shapes are not numbered from 1")
    if len(set(repeated)) < len(repeated) or not set(repeated) <= set(numbers):
        raise ValueError("a repeated shape does not exist, or is repeated twice")
    for shape in shapes:
        if shape.kind not in (REAL, SYNTHETIC):
            raise ValueError(f"the kind of shape {shape.number} is neither {REAL} nor {SYNTHETIC}")
        if shape.file != shape_file(shape.number):
            raise ValueError(f"the file of shape {shape.number} is not {shape_file(shape.number)}")
    notices = tuple(str(text) for text in entry(document, "notices", kind=list))
    seed, checksum = entry(document, "seed", kind=int), entry(document, "ct_sha256", kind=str)
    return StudyPlan(folder, seed, shapes, repeated, notices, checksum)


def shape_file(number: int) -> str:
    """Return the name of the file of a shape, relative to the study folder."""
    return f"{SHAPES_FOLDER}/{number:03d}.ply"
