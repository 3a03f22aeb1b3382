"""The place in a patient at which generated thyroids are put: at the trachea, or at a given point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.dataset.case_sources import CaseSource, find_case
from ThyroidSynthLib.dataset.cases import NO_SEGMENTATION, Case, read_case
from ThyroidSynthLib.dataset.organs.reading import organ_files, organ_masks
from ThyroidSynthLib.dataset.quality import check_case
from ThyroidSynthLib.dataset.structure_checks import check_placement, check_trachea, placement_faults
from ThyroidSynthLib.generation.steer.contact import Contact
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA, normalised, part_called
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan
from ThyroidSynthLib.imaging.segmentations.class_maps import other_organs
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation, read_structure
from ThyroidSynthLib.imaging.volume_files import placement_notes

from .gland_level import DEPTH_MM, ERROR_MM, estimated_level_mm

# Coordinates in a patient are smaller.
_LARGEST_MM = 10_000.0
# A level further beyond the trachea's ends than this is in another coordinate system, or of another patient.
_MAX_BEYOND_MM = 50.0


@dataclass(frozen=True)
class PatientSite:
    """Where thyroids are placed in a patient.

    Attributes
    ----------
    placement : Placement
        The trachea frame.
    trachea : Volume, optional
        The trachea's mask in `ras_mm` without islands; None at a given point.
    notes : tuple of str
        Reasons to check the placement.
    level : str
        What the craniocaudal level of the gland was taken from, for the manifest.
    files : tuple of Path
        The files that were read.
    scan : Grid, optional
        The grid of the scan that the trachea is part of.
    source : CaseSource, optional
        The patient's case, in which other organs may be segmented; None for the mask of a trachea.
    """

    placement: Placement
    trachea: Volume | None
    notes: tuple[str, ...] = ()
    level: str = ""
    files: tuple[Path, ...] = ()
    scan: Grid | None = None
    source: CaseSource | None = None

    def own_masks(self, names: Sequence[str]) -> dict[str, Mask]:
        """Return the trachea's mask, and those of organs with these names that the patient has, all in `ras_mm`.

        `InputError` if a file of theirs cannot be read.
        """
        if self.trachea is None:
            return {}
        others = [name for name in names if name != TRACHEA.name]
        found = {TRACHEA.name: mask_in_scan(self.trachea, self.scan)}
        return found | ({} if self.source is None else organ_masks(self.source, others))

    def organ_files(self, names: Sequence[str]) -> tuple[Path, ...]:
        """Return the files that `own_masks` reads beside `files`."""
        others = [name for name in names if name != TRACHEA.name]
        return () if self.source is None else tuple(organ_files(self.source, others).values())

    def contact(self, frame: Frame, structures: Sequence[Volume | Surface] = ()) -> Contact | None:
        """Return what thyroids of a model must not enter here: the trachea and further structures in `ras_mm`.

        None if nothing of them lies where thyroids of the model, given its frame, can lie.
        """
        return Contact.at(self.trachea, self.placement, frame, scan=self.scan, structures=structures)


def site_at_point(point_ras: Sequence[float]) -> PatientSite:
    """Return the trachea frame with its origin at a point (3,) in `ras_mm` and axes along the patient's.

    The point takes the place of the trachea's centroid or, in the upright alignment, of the point on the trachea's axis
    at the level of the gland's centre. `InputError` if it is not three finite numbers within 10 m.
    """
    point = np.asarray(point_ras, dtype=np.float64)
    if point.shape != (3,) or not (np.abs(point) < _LARGEST_MM).all():
        raise InputError(f"{point_ras} is no point in a patient. Give its R, A and S coordinates in mm.")
    return PatientSite(Placement.at(point), None, level="given")


def site_at(
    path: Path | str, alignment: str, *, labels: Mapping[int, str] | None = None, level_mm: float | None = None
) -> PatientSite:
    """Return the trachea frame of the patient at a path.

    Parameters
    ----------
    path : Path
        The mask of a trachea, or anything with exactly one case (see `find_case`).
    alignment : str
        The model's, one of `ALIGNMENTS`. If it needs the level of the gland and there is neither a thyroid nor a
        given level, the level is estimated from the trachea, which a note says.
    labels : mapping of int to str, optional
        As in `find_case`.
    level_mm : float, optional
        The superior coordinate in `ras_mm` of the gland's centre, instead of that of the patient's thyroid.

    Raises
    ------
    InputError
        There is no trachea at the path, it cannot be one or is not at the thyroid, there are several patients, or
        the alignment needs the level of the gland and it cannot be estimated.
    """
    path = Path(path)
    case, files, source = _case_at(path, labels)
    verdict = check_case(case)
    cleaned = verdict.cleaned
    if cleaned.trachea_mask.is_empty:
        raise InputError(f"{path} holds no trachea, on which thyroids are placed. Segment it first.")
    # A level is given where the thyroid is of no use.
    faults = verdict.placement_faults if level_mm is None else placement_faults(check_trachea(verdict.trachea))
    check_placement(faults, str(path), label=case.trachea_source)
    # A thyroid that is missing is of no importance here, or has a note of its own below.
    notes = [*(note for note in case.notes if not note.startswith(NO_SEGMENTATION)), *verdict.placement_notes]
    trachea, level = cleaned.trachea, "centred on the trachea"
    if level_mm is not None:
        level = f"given ({level_mm:g} mm)"
        _check_level(trachea, level_mm, path)
    elif alignment == "upright":
        level = "of the patient's thyroid"
        if cleaned.thyroid_mask.is_empty:
            level_mm = _estimated(cleaned, path)
            level = f"estimated from the trachea's upper end ({level_mm:.0f} mm)"
            notes.append(
                f"there is no thyroid, so the level of the gland was estimated as S = {level_mm:.0f} mm, "
                f"{DEPTH_MM:g} mm below the upper end of the trachea; it may be off by {ERROR_MM:g} mm or more"
            )
    placement = Placement.of_patient(alignment, trachea, _thyroid(cleaned), level_mm=level_mm)
    return PatientSite(placement, trachea, tuple(notes), level, files, cleaned.trachea_mask.scan, source)


def _case_at(path: Path, labels: Mapping[int, str] | None) -> tuple[Case, tuple[Path, ...], CaseSource | None]:
    """Read the one case at a path, and return its files and source, too.

    The mask of a trachea is a case without a thyroid and without a source.
    """
    if path.is_file():
        opened = open_segmentation(path, labels=labels)
        if not opened.named:
            return _of_mask(path), (path,), None
    source = find_case(path, labels=labels)
    return read_case(source), source.files, source


def _of_mask(path: Path) -> Case:
    part = part_called(stem_of(path))
    if part is not None and part.structure is THYROID:
        raise InputError(f"{path} is a thyroid by its name. Choose the mask of the trachea or the case's folder.")
    if normalised(stem_of(path)) in other_organs():
        raise InputError(f"{path} is another organ by its name. Choose the mask of the trachea or the case's folder.")
    trachea, notes = read_structure(path, TRACHEA)
    if trachea.is_empty:
        raise InputError(f"{path} is empty. Choose the mask of a trachea, on which thyroids are centred.")
    no_thyroid = Volume(np.zeros((1, 1, 1), dtype=np.uint8), trachea.scan.ijk_to_ras)
    return Case(stem_of(path), mask_in_scan(no_thyroid, trachea.scan), trachea, notes=(*notes, *placement_notes(path)))


def _thyroid(case: Case) -> Volume | None:
    return None if case.thyroid_mask.is_empty else case.thyroid


def _check_level(trachea: Volume, level_mm: float, path: Path) -> None:
    heights = trachea.to_ras(np.argwhere(trachea.array)[:, ::-1])[:, 2]
    lowest, highest = heights.min(), heights.max()
    # Also for a level that is not a number.
    if not lowest - _MAX_BEYOND_MM <= level_mm <= highest + _MAX_BEYOND_MM:
        raise InputError(
            f"A level of {level_mm:g} mm is far from the trachea of {path}, which reaches from S = {lowest:.0f} to "
            f"{highest:.0f} mm. Give the superior coordinate (RAS) of the gland's centre, as Slicer shows it."
        )


def _estimated(case: Case, path: Path) -> float:
    level_mm = estimated_level_mm(case.trachea, case.trachea_mask.scan)
    if level_mm is None:
        raise InputError(
            f"{path} has no thyroid, whose level this model needs, and the level cannot be estimated: the upper end of "
            "the trachea is not in the scan. Give the level of the gland's centre (--level MM, level_mm in Python) or "
            "a point (--place-at R A S, at_point), segment the thyroid roughly, or use a model that is centred on the "
            "trachea."
        )
    return level_mm
