"""The patient's trachea at which generated thyroids are placed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.dataset.islands import TRACHEA_COMPONENTS, without_islands
from ThyroidSynthLib.dataset.quality import (
    COMPONENTS_APART,
    SAME_VOXELS,
    TRACHEA_AWAY,
    TRACHEA_MISSING,
    check_case,
    island_notes,
)
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID, names_in_extensions, structure_called
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.nifti import is_nifti, read_header
from ThyroidSynthLib.imaging.seg_nrrd import is_segmentation_file

# Reasons why the trachea frame of a patient is unreliable.
_UNRELIABLE = (TRACHEA_MISSING, COMPONENTS_APART, SAME_VOXELS, TRACHEA_AWAY)


@dataclass(frozen=True)
class PatientSite:
    """The trachea frame in a patient, the trachea's mask in `ras_mm` without islands, and reasons to check them."""

    placement: Placement
    trachea: Volume
    notes: tuple[str, ...] = ()


def site_at(path: Path | str, alignment: str, *, class_map: str | None = None) -> PatientSite:
    """Return the trachea frame of the patient at a path.

    Parameters
    ----------
    path : Path
        The mask of a trachea, or anything with exactly one case (see `find_cases`).
    alignment : str
        The model's, one of `ALIGNMENTS`.
    class_map : str, optional
        As in `find_cases`.

    Raises
    ------
    InputError
        There is no trachea at the path, there are several patients, or the alignment needs a thyroid
        and there is none.
    """
    path = Path(path)
    if path.is_file() and class_map is None and _is_single_mask(path):
        if structure_called(stem_of(path)) is THYROID:
            raise InputError(f"{path} is a thyroid by its name. Choose the mask of the trachea or the case's folder.")
        mask = read_mask(path)
        if mask.is_empty:
            raise InputError(f"{path} is empty. Choose the mask of a trachea, on which thyroids are centred.")
        cleaned, found = without_islands(mask, TRACHEA_COMPONENTS)
        trachea = cleaned.volume
        return PatientSite(Placement.of_patient(alignment, trachea), trachea, island_notes("trachea", found))
    sources = find_cases(path, class_map=class_map)
    if len(sources) > 1:
        raise InputError(f"{path} holds {len(sources)} cases. Choose the folder or file of one of them.")
    case = read_case(sources[0])
    verdict = check_case(case)
    reasons = (reason for reason in verdict.reasons if reason in _UNRELIABLE)
    # Notes from reading concern the thyroid too, which is not needed here.
    notes = (*reasons, *verdict.notes[len(case.notes) :])
    return PatientSite(verdict.cleaned.placement(alignment), verdict.cleaned.trachea, notes)


def _is_single_mask(path: Path) -> bool:
    if is_segmentation_file(path):
        return False
    return not (is_nifti(path) and names_in_extensions(read_header(path).extensions))
