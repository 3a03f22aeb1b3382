"""The second half of preparation: one frame for all shapes, then the samples of each in it.

The frame needs the extents of every shape, so no shape can be sampled before all are measured.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import CohortError, OutputError
from ThyroidSynthLib.common.files import sha256_of, write_json
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, silent
from ThyroidSynthLib.common.workers import Workers
from ThyroidSynthLib.geometry.features import FEATURE_NAMES, measure_features
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Frame, Placement
from ThyroidSynthLib.geometry.sampling import OFFSET_SD, SURFACE_SHARE
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import write_ply

from .cohort import (
    COHORT_FILE,
    FORMAT,
    FORMAT_VERSION,
    SAMPLES_FILE,
    SURFACES_FOLDER,
    Cohort,
    cohort_checksum,
)
from .sample_rows import draw_rows

SAMPLES_PER_SHAPE = 50_000


@dataclass(frozen=True)
class Member:
    """A shape that goes into a cohort.

    Attributes
    ----------
    id : str
        Its case.
    features : dict of str to float
        By name.
    placement : Placement
        The trachea frame in its patient.
    lower_mm, upper_mm : tuple of float
        Box of its surface in `trachea_mm`.
    surface : str
        Its surface file, relative to the cohort folder.
    surface_sha256 : str
        Checksum of that file.
    details : dict
        What else ``cohort.json`` says of the case (source, quality).
    """

    id: str
    features: dict[str, float]
    placement: Placement
    lower_mm: tuple[float, ...]
    upper_mm: tuple[float, ...]
    surface: str
    surface_sha256: str
    details: dict[str, Any]


def store_surface(folder: Path, case_id: str, surface: Surface) -> tuple[Surface, str, str]:
    """Store a surface (`trachea_mm`) in a cohort folder.

    Returns
    -------
    Surface
        As it will be read again, in single precision.
    str
        File name relative to the folder.
    str
        SHA-256 of the file.
    """
    name = f"{SURFACES_FOLDER}/{case_id}.ply"
    write_ply(surface, folder / name, comment="thyroid surface in mm, in the trachea frame of cohort.json")
    return surface.moved(surface.vertices.astype(np.float32)), name, sha256_of(folder / name)


def write_cohort(
    folder: Path,
    members: Sequence[Member],
    workers: Workers,
    *,
    samples_per_shape: int = SAMPLES_PER_SHAPE,
    seed: int = 0,
    synthetic: bool = False,
    alignment: str = ALIGNMENTS[0],
    about: dict[str, Any] | None = None,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Cohort:
    """Make the frame, draw the samples and write ``cohort.json`` last.

    Rows that are already as they would become are left as they are, so that a preparation that was
    killed, or a cohort that grew, costs only what is missing. The samples of a shape depend on the
    seed, its id, its surface and the frame, not on the number of workers or on other cases' order.

    Parameters
    ----------
    folder : Path
        The cohort folder, with the members' surfaces in it.
    members : sequence of Member
        At least one; ids unique.
    workers : Workers
        Who draws the samples.
    alignment : str
        How the members were laid in the trachea frame.
    about : dict, optional
        Further entries of ``cohort.json``.

    Raises
    ------
    CohortError
        There is no member, or a surface is gone.
    OutputError
        The disk is full.
    Cancelled
        A stop was requested; what is done stays done.
    """
    members = sorted(members, key=lambda member: member.id)
    if not members:
        raise CohortError(f"No case is left for {folder}. See {folder / 'quality.csv'} for the reasons.")
    frame = Frame.of_boxes(
        np.array([member.lower_mm for member in members]),
        np.array([member.upper_mm for member in members]),
        alignment,
    )
    # While samples change the folder is no cohort; whoever opens it is told to finish it.
    (folder / COHORT_FILE).unlink(missing_ok=True)
    checksums = draw_rows(
        folder,
        [(member.id, member.surface, member.surface_sha256) for member in members],
        frame,
        workers,
        per_shape=samples_per_shape,
        seed=seed,
        progress=progress,
        should_stop=should_stop,
    )
    document = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "checksum": "",
        "synthetic": synthetic,
        "feature_names": list(FEATURE_NAMES),
        "frame": frame.to_json(),
        "samples": {
            "file": SAMPLES_FILE,
            "per_shape": samples_per_shape,
            "on_surface": SURFACE_SHARE,
            "offset_sd": OFFSET_SD,
            "seed": seed,
            "sign": "negative inside",
        },
        **(about or {}),
        "software": software_versions(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cases": [
            {
                "id": member.id,
                "features": member.features,
                "trachea_to_ras": member.placement.trachea_to_ras.tolist(),
                "box_mm": [list(member.lower_mm), list(member.upper_mm)],
                "surface": member.surface,
                "surface_sha256": member.surface_sha256,
                "samples_sha256": checksum,
                **member.details,
            }
            for member, checksum in zip(members, checksums, strict=True)
        ],
    }
    document["checksum"] = cohort_checksum(document)
    write_json(folder / COHORT_FILE, document)
    return Cohort.open(folder)


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
    """Make a cohort of closed surfaces that are already in `trachea_mm`, without images.

    Parameters
    ----------
    folder : path-like
        A new or empty folder.
    surfaces : iterable of Surface
        Taken one at a time.
    ids : iterable of str
        One for each surface, unique.

    Raises
    ------
    OutputError
        The folder holds something.
    CohortError
        An id comes twice or cannot be a file name.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty. Choose another folder.")
    members: dict[str, Member] = {}
    for case_id, surface in zip(ids, surfaces, strict=True):
        if case_id in members or not case_id or Path(case_id).name != case_id:
            raise CohortError(
                f"Case id {case_id!r} comes twice or cannot be a file name. Give each surface its own id."
            )
        kept, name, digest = store_surface(folder, case_id, surface)
        lower, upper = kept.bounds
        members[case_id] = Member(
            id=case_id,
            features=measure_features(kept).as_dict(),
            placement=Placement(np.eye(4)),
            lower_mm=tuple(lower.tolist()),
            upper_mm=tuple(upper.tolist()),
            surface=name,
            surface_sha256=digest,
            details={"source": {}, "quality": {}},
        )
    with Workers(workers) as pool:
        return write_cohort(
            folder,
            list(members.values()),
            pool,
            samples_per_shape=samples_per_shape,
            seed=seed,
            synthetic=synthetic,
            about={"statement": statement, "source": "surfaces"},
            progress=progress,
            should_stop=should_stop,
        )


def software_versions() -> dict[str, str]:
    """Give the versions of what a cohort's numbers depend on."""
    versions = {"thyroidsynth": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("numpy", "scipy", "scikit-image", "SimpleITK", "vtk"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # Slicer brings some of its own, without the package's metadata.
            continue
    return versions
