"""Write a cohort: store the shapes, derive their common frame, and draw their samples in it.

The frame depends on the extents of all shapes, so all are measured before the first is sampled.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.common.files import read_json, sha256_of, write_json
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.common.staging import files_of_others, output_folder, publish, staged
from ThyroidSynthLib.common.workers import Workers
from ThyroidSynthLib.geometry.features import FEATURE_NAMES, measure_features
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Frame, Placement
from ThyroidSynthLib.geometry.rigid.lying import OnTrachea
from ThyroidSynthLib.geometry.sampling import OFFSET_SD, SURFACE_SHARE
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import write_ply

from .cohort import COHORT_FILE, FORMAT, FORMAT_VERSION, SAMPLES_FILE, SURFACES_FOLDER, Cohort, cohort_checksum
from .organ_writing import write_organs
from .organs.organ_shapes import OrganShape, organ_frame
from .sample_rows import GivenSamples, RowShape, WholeSampling, draw_rows, write_given_rows

SAMPLES_PER_SHAPE = 50_000

_ORGAN_SHARE = 0.4  # Share of the progress for each organ, relative to the thyroid.


@dataclass(frozen=True)
class StoredShape:
    """A shape whose surface is stored in a cohort folder.

    Attributes
    ----------
    trachea_to_ras : list
        `Placement.trachea_to_ras` of its patient as nested lists.
    box_mm : list
        Lower and upper corner of the surface's bounding box in `trachea_mm`.
    surface, surface_sha256 : str
        Surface file, relative to the cohort folder, and its checksum.
    trachea : dict, optional
        How the thyroid lies on the patient's trachea, see `OnTrachea`; None without a mask of it near the thyroid.
    """

    features: dict[str, float]
    trachea_to_ras: list[list[float]]
    box_mm: list[list[float]]
    surface: str
    surface_sha256: str
    trachea: dict[str, float] | None = None


@dataclass(frozen=True)
class Member:
    """A shape that belongs to a cohort, with further entries of its case in ``cohort.json`` (source, quality).

    `organs` are the organs that the case has beside the thyroid, by name.
    """

    id: str
    shape: StoredShape
    details: dict[str, Any]
    organs: Mapping[str, OrganShape] = field(default_factory=dict)


def store_shape(
    folder: Path, case_id: str, surface: Surface, placement: Placement, *, trachea: OnTrachea | None = None
) -> StoredShape:
    """Store a surface (`trachea_mm`) in a cohort folder and measure it as it will be read again."""
    name = f"{SURFACES_FOLDER}/{case_id}.ply"
    write_ply(surface, folder / name, comment="thyroid surface in mm, in the trachea frame of cohort.json")
    stored = surface.moved(surface.vertices.astype(np.float32))
    return StoredShape(
        features=measure_features(stored).as_dict(),
        trachea_to_ras=placement.trachea_to_ras.tolist(),
        box_mm=[corner.tolist() for corner in stored.bounds],
        surface=name,
        surface_sha256=sha256_of(folder / name),
        trachea=None if trachea is None else asdict(trachea),
    )


def write_cohort(
    folder: Path,
    members: Sequence[Member],
    workers: Workers,
    *,
    samples_per_shape: int = SAMPLES_PER_SHAPE,
    seed: int = 0,
    synthetic: bool = False,
    alignment: str = ALIGNMENTS[0],
    statement: str = "",
    source: str = "",
    entries: dict[str, Any] | None = None,
    given: GivenSamples | None = None,
    organs: Sequence[str] = (),
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Cohort:
    """Derive the frame, draw the samples, and write ``cohort.json`` last.

    Rows of samples that exist already are kept, so that after an interruption, or when cases are added,
    only the missing ones are drawn. The samples of a shape depend on the seed, its id, its surface and the
    frame, not on the number of workers or the order of the cases.

    Parameters
    ----------
    folder : Path
        The cohort folder, with the members' surfaces in it.
    members : sequence of Member
        At least one; ids unique.
    alignment : str
        How the shapes were aligned in the trachea frame, one of `frame.ALIGNMENTS`.
    statement : str
        What the source says about being synthetic.
    entries : dict, optional
        Further entries of ``cohort.json``.
    given : GivenSamples, optional
        Samples and scale of a set that has them already, which are used as they are.
    organs : sequence of str
        Names of the organs that are prepared beside the thyroid; each must be in a case at least.

    Raises
    ------
    CohortError
        There is no member, a surface is missing, or no case has one of the organs.
    OutputError
        The disk is full.
    """
    members = sorted(members, key=lambda member: member.id)
    if not members:
        raise CohortError(f"The cohort {folder} has no case. Give at least one.")
    boxes = np.array([member.shape.box_mm for member in members])
    frame = Frame.of_boxes(boxes[:, 0], boxes[:, 1], alignment)
    if given is not None:
        frame = replace(frame, scale_mm=given.scale_mm)
    samples: dict[str, Any] = {
        "file": SAMPLES_FILE,
        "per_shape": samples_per_shape,
        "on_surface": SURFACE_SHARE,
        "offset_sd": OFFSET_SD,
        "seed": seed if given is None else None,
        "sign": "negative inside",
    }
    of_organs = {
        name: {member.id: member.organs[name] for member in members if name in member.organs} for name in organs
    }
    if not _samples_stay(folder, members, frame.to_json(), samples, of_organs):
        # Without this file the folder is not a cohort, so that nobody opens it while its samples change.
        (folder / COHORT_FILE).unlink(missing_ok=True)
    of_thyroid = part_of(progress, 0.0, 1 / (1 + _ORGAN_SHARE * len(organs)))
    if given is not None:
        ids = [member.id for member in members]
        checksums = write_given_rows(
            folder, ids, given, per_shape=samples_per_shape, progress=of_thyroid, should_stop=should_stop
        )
    else:
        checksums = draw_rows(
            folder,
            [
                RowShape(each.id, each.shape.surface, each.shape.surface_sha256, WholeSampling(tuple(frame.scale_mm)))
                for each in members
            ],
            workers,
            per_shape=samples_per_shape,
            seed=seed,
            progress=of_thyroid,
            should_stop=should_stop,
        )
    entries = dict(entries or {})
    if organs:
        entries["organs"] = write_organs(
            folder,
            of_organs,
            organ_frame(boxes, alignment),
            workers,
            seed=seed,
            progress=part_of(progress, 1 / (1 + _ORGAN_SHARE * len(organs)), 1.0),
            should_stop=should_stop,
        )
    document = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "checksum": "",
        "synthetic": synthetic,
        "feature_names": list(FEATURE_NAMES),
        "frame": frame.to_json(),
        "samples": samples,
        "statement": statement,
        "source": source,
        **entries,
        "software": software_versions(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cases": [
            {"id": member.id, **asdict(member.shape), "samples_sha256": checksum, **member.details}
            for member, checksum in zip(members, checksums, strict=True)
        ],
    }
    document["checksum"] = cohort_checksum(document)
    write_json(folder / COHORT_FILE, document)
    return Cohort.open(folder)


def _samples_stay(
    folder: Path,
    members: Sequence[Member],
    frame: Mapping[str, Any],
    samples: Mapping[str, Any],
    organs: Mapping[str, Mapping[str, OrganShape]],
) -> bool:
    """Return whether the folder holds a cohort of the same shapes with the same samples."""
    try:
        before = read_json(folder / COHORT_FILE)
        of_organs = {
            name: {case["id"]: case["surface_sha256"] for case in organ["cases"]}
            for name, organ in before.get("organs", {}).items()
        }
        if of_organs != {
            name: {each: shape.surface_sha256 for each, shape in of.items()} for name, of in organs.items()
        }:
            return False
        shapes = [(case["id"], case["surface_sha256"]) for case in before["cases"]]
        return (before["frame"], before["samples"]) == (frame, samples) and shapes == [
            (member.id, member.shape.surface_sha256) for member in members
        ]
    except (InputError, KeyError, TypeError, AttributeError):
        return False


def write_cohort_from_surfaces(
    folder: Path | str,
    surfaces: Iterable[Surface],
    ids: Iterable[str],
    *,
    samples_per_shape: int = SAMPLES_PER_SHAPE,
    seed: int = 0,
    synthetic: bool = False,
    statement: str = "",
    workers: int = 1,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Cohort:
    """Write a cohort of closed surfaces that are already in `trachea_mm`, without images.

    Parameters
    ----------
    folder : path-like
        A new or empty folder.
    surfaces : iterable of Surface
        The surfaces; only one is in memory at a time.
    ids : iterable of str
        One for each surface, unique.

    Raises
    ------
    OutputError
        The folder is not empty.
    CohortError
        An id is used twice or is not a valid file name.
    """
    folder = Path(folder)
    with output_folder(folder):
        if files_of_others(folder):
            raise OutputError(f"{folder} is not empty. Choose another folder.")
        with staged(folder) as staging:
            _write_surfaces(
                staging, surfaces, ids, samples_per_shape, seed, synthetic, statement, workers, progress, should_stop
            )
            publish(folder, last=COHORT_FILE)
    return Cohort.open(folder)


def _write_surfaces(
    folder: Path,
    surfaces: Iterable[Surface],
    ids: Iterable[str],
    samples_per_shape: int,
    seed: int,
    synthetic: bool,
    statement: str,
    workers: int,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> None:
    members: dict[str, Member] = {}
    for case_id, surface in zip(ids, surfaces, strict=True):
        if case_id in members or not case_id or Path(case_id).name != case_id:
            raise CohortError(
                f"Case id {case_id!r} is used twice or is not a valid file name. Give each surface its own id."
            )
        shape = store_shape(folder, case_id, surface, Placement(np.eye(4)))
        members[case_id] = Member(case_id, shape, {"source": {}, "quality": {}})
    with Workers(workers) as pool:
        write_cohort(
            folder,
            list(members.values()),
            pool,
            samples_per_shape=samples_per_shape,
            seed=seed,
            synthetic=synthetic,
            statement=statement,
            source="surfaces",
            progress=progress,
            should_stop=should_stop,
        )


def software_versions() -> dict[str, str]:
    """Return the versions of the software on which the numbers of a cohort depend."""
    versions = {"thyroidsynth": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("numpy", "scipy", "SimpleITK", "vtk"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # Slicer contains some of them without metadata.
            continue
    return versions
