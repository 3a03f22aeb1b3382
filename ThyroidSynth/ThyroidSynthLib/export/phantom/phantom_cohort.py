"""Phantoms as the members of a cohort: their files, their entries in the manifest and their rows in its table."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.common.progress import ShouldStop, never
from ThyroidSynthLib.export.cohort.cohort_kind import CohortKind, WrittenMember, rounded
from ThyroidSynthLib.export.neck.neck import Neck
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .building import GENERATED, build_phantom
from .phantom_folder import PHANTOM_FILE, write_phantom
from .phantom_measure import PhantomMeasure
from .phantom_options import CohortFiles, PhantomOptions

if TYPE_CHECKING:
    from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, Thyroid
    from ThyroidSynthLib.geometry.targets import Targets
    from ThyroidSynthLib.model.trained_model import TrainedModel

PHANTOMS = "phantoms"
DATASET_CARD = "dataset_card.md"
NNUNET_FOLDER = "nnunet/Dataset001_ThyroidPhantoms"
"""The folder of a cohort as a dataset for nnU-Net, named as that demands."""

NNUNET_JSON = f"{NNUNET_FOLDER}/dataset.json"
_FOLDER = re.compile(r"phantom_[0-9]{4,}")
_LARGEST_CHANGE = 0.02

COLUMNS = (
    "id",
    "seed",
    "index",
    *(f"target_{name}" for name in FEATURE_NAMES),
    *(f"written_{name}" for name in FEATURE_NAMES),
    *(f"error_{name}" for name in FEATURE_NAMES),
    "met",
    "valid",
    "within_grid",
    "attempts",
    "distance",
    "nodules",
    "nodules_left_out",
    "overlap_mm3",
    "largest_motion_mm",
    "largest_change",
    "files",
    "sha256",
    "code",
)


@dataclass(frozen=True)
class PhantomWriter:
    """Builds phantoms of thyroids in a neck and writes each into a folder of its own; can be pickled.

    `gland` is one of `GLANDS`; `model` is what the documents state about the model. `beside` writes files of each
    phantom into the folder of the cohort.
    """

    folder: Path
    neck: Neck
    options: PhantomOptions
    gland: str = GENERATED
    model: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[CohortFiles, ...] = ()

    @property
    def measure(self) -> PhantomMeasure:
        """What measures thyroids as they will lie in the neck."""
        return PhantomMeasure(self.neck, self.options.neighbours)

    def in_folder(self, folder: Path) -> PhantomWriter:
        """Return the same writer for another folder."""
        return replace(self, folder=folder)

    def write(self, generated: GeneratedThyroid, number: int) -> WrittenMember:
        """Build phantom number `number`, counted from 1, and write its files; if one cannot be written, none is left.

        Errors are those of `build_phantom` and `write_phantom`.
        """
        if not self.folder.is_dir():
            # A worker of a cluster may still run when the command that uses it was killed.
            raise OutputError(f"{self.folder} does not exist: the command that makes these phantoms has ended.")
        name = f"phantom_{number:04d}"
        phantom = build_phantom(
            self.neck, generated, self.options, name=name, gland=self.gland, model=self.model, of_cohort=True
        )
        own = self.folder / name
        shutil.rmtree(own, ignore_errors=True)  # Of a process that was killed in the middle of it.
        try:
            document = write_phantom(phantom, own, self.options)
            others = [path for write in self.beside for path in write(phantom, self.folder, name)]
            files = [
                {"path": path.relative_to(self.folder).as_posix(), "sha256": sha256_of(path)}
                for path in (own / PHANTOM_FILE, *others)
            ]
            entry = _entry(document, name, files)
        except BaseException:
            shutil.rmtree(own, ignore_errors=True)
            raise
        return WrittenMember(entry, row_of(entry))


def phantom_plan(model: TrainedModel, model_file: Path, writer: PhantomWriter, *, seed: int) -> CohortPlan:
    """Return how the thyroids of phantoms are made: steered to targets on the label map, and out of rigid structures.

    A gland that is given is a `FixedGland` instead.
    """
    from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan
    from ThyroidSynthLib.generation.steer.contact import Contact

    neck = writer.neck
    contact = Contact.at(
        neck.trachea.cropped() if neck.trachea.array.any() else None,
        neck.placement,
        model.frame,
        scan=neck.grid,
        # With the trachea: without it, the airway around it would be a shell of single voxels.
        structures=[neck.rigid] if neck.rigid.array.any() else [],
    )
    return CohortPlan.of(model, model_file, seed=seed, to_target=True, writer=writer, contact=contact)


@dataclass(frozen=True)
class FixedGland:
    """Makes phantoms of one gland, such as the patient's own, which differ in their nodules."""

    thyroid: Thyroid
    seed: int

    def make(self, index: int, targets: Targets, *, should_stop: ShouldStop = never) -> GeneratedThyroid:
        """Return the gland as number `index`; it has no targets."""
        from ThyroidSynthLib.generation.thyroid import GeneratedThyroid

        return GeneratedThyroid(self.thyroid, seed=self.seed, index=index)


def row_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of the table for an entry of the manifest."""
    motion = entry["motion"] or {}
    return {
        **{key: entry[key] for key in ("id", "seed", "index", "met", "within_grid", "attempts")},
        **{f"target_{key}": value for key, value in entry["targets"].items()},
        **{f"written_{key}": rounded(value) for key, value in entry["written"].items()},
        **{f"error_{key}": rounded(entry["error"].get(key), 4) for key in FEATURE_NAMES},
        "valid": entry["validity"]["ok"],
        "distance": rounded(entry["distance"], 4),
        "nodules": entry["nodules"],
        "nodules_left_out": entry["nodules_left_out"],
        "overlap_mm3": rounded(sum(entry["overlap_mm3"].values()), 4),
        "largest_motion_mm": rounded(motion.get("largest_mm"), 4),
        "largest_change": rounded(_largest_change(entry), 3),
        "files": " ".join(file["path"] for file in entry["files"]),
        "sha256": " ".join(file["sha256"] for file in entry["files"]),
        "code": " ".join(f"{value:.9g}" for value in entry["code"]),
    }


def _entry(document: Mapping[str, Any], name: str, others: list[dict[str, str]]) -> dict[str, Any]:
    keys = (
        *("id", "seed", "index", "attempts", "targets", "measured", "written", "error", "validity", "met", "distance"),
        *("within_grid", "overlap_mm3", "neighbours", "motion", "code"),
    )
    files = [{**file, "path": f"{name}/{file['path']}"} for file in document["files"]]
    nodules = document.get("nodules") or {"nodules": []}
    return {
        **{key: document[key] for key in keys},
        "measured_on": "label map",
        "nodules": len(nodules["nodules"]),
        "nodules_left_out": nodules.get("left_out", 0),
        "files": [*files, *others],
    }


def _counts(entry: Mapping[str, Any]) -> dict[str, int]:
    """Return what a phantom adds to the numbers of a cohort."""
    return {
        "count": 1,
        "valid": int(entry["validity"]["ok"]),
        "cut_by_grid": int(entry["within_grid"] is False),
        "attempts": entry["attempts"],
        "unmet": int(entry["met"] is False),
        "overlapping": int(any(volume > 0 for volume in entry["overlap_mm3"].values())),
        "changing": int(_largest_change(entry) > _LARGEST_CHANGE),
        "empty": int(entry["written"]["volume_ml"] == 0),
        "incomplete": int(entry["nodules_left_out"] > 0),
    }


def _largest_change(entry: Mapping[str, Any]) -> float:
    """Return the largest relative change of the volume of a segmented neighbour."""
    return max((abs(each["change"]) for each in entry["neighbours"]), default=0.0)


def _named_like_phantoms(folder: Path) -> Iterator[Path]:
    for path in folder.glob("phantom_*"):
        if _FOLDER.fullmatch(path.name):
            yield from (each for each in path.rglob("*") if each.is_file()) if path.is_dir() else (path,)
    yield from (folder / NNUNET_FOLDER).glob("*/phantom_*")


PHANTOM_COHORT = CohortKind(
    "phantom cohort", PHANTOMS, COLUMNS, row_of, _counts, _named_like_phantoms, (DATASET_CARD, NNUNET_JSON)
)
"""Phantoms, each in a folder of its own."""
