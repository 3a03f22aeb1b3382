"""A case: the thyroid and trachea of one patient, read from files of TotalSegmentator, Slicer or DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import STRUCTURES, THYROID, TRACHEA, Structure, part_called
from ThyroidSynthLib.imaging.masks import SAME_PLACE_VOXELS, Mask, mask_in_scan, same_grid
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation, read_structure
from ThyroidSynthLib.imaging.volume_files import placement_notes

from .case_sources import CaseSource
from .finding.mask_names import is_image_file, whole_or_lobe_files

NO_SEGMENTATION = "there is no segmentation"
"""Beginning of the note on a structure that is missing."""


@dataclass(frozen=True)
class Case:
    """The thyroid and trachea of one patient.

    Attributes
    ----------
    id : str
        Name of the case, unique in its cohort.
    thyroid_mask, trachea_mask : Mask
        The segmentations; empty where a structure is missing.
    notes : tuple of str
        Remarks about the files, for the user.
    trachea_source : str
        Which label the user gave as that of the trachea, for messages; empty if the file names it.
    """

    id: str
    thyroid_mask: Mask
    trachea_mask: Mask
    ct_path: Path | None = None
    notes: tuple[str, ...] = ()
    trachea_source: str = ""

    @property
    def thyroid(self) -> Volume:
        """The thyroid's voxels, cropped."""
        return self.thyroid_mask.volume

    @property
    def trachea(self) -> Volume:
        """The trachea's voxels, cropped."""
        return self.trachea_mask.volume

    def placement(self, alignment: str = ALIGNMENTS[0]) -> Placement:
        """Return the trachea frame of this patient, in one of the `ALIGNMENTS`.

        Raises `InputError` if there is no trachea, or no thyroid although the alignment needs one.
        """
        if self.trachea_mask.is_empty:
            raise InputError(f"Case {self.id} has no trachea, the origin of the trachea frame. Segment it first.")
        thyroid = None if self.thyroid_mask.is_empty else self.thyroid
        return Placement.of_patient(alignment, self.trachea, thyroid)


def read_case(source: CaseSource) -> Case:
    """Read the masks of a case.

    A missing structure gives an empty mask and a note instead of an error, because quality control decides
    about such a case.

    Raises
    ------
    InputError
        A file cannot be read or is of the wrong kind, or thyroid and trachea do not lie together.
    """
    notes: list[str] = []
    found: dict[Structure, Mask] = {}
    if source.labels_path is None:
        for structure, paths in ((THYROID, source.thyroid_paths), (TRACHEA, source.trachea_paths)):
            if paths:
                chosen, remarks = whole_or_lobe_files(structure, paths)
                found[structure], more = read_structure(chosen, structure, labels=source.labels)
                notes += [*remarks, *more]
    else:
        found, remarks = open_segmentation(source.labels_path, labels=source.labels).masks()
        notes += remarks
    notes += [note for path in source.files for note in placement_notes(path)]
    notes += [_missing_note(source, structure) for structure in STRUCTURES if structure not in found]
    thyroid, trachea = (_or_empty(found, structure) for structure in STRUCTURES)
    notes += _check_together(source, thyroid, trachea)
    return Case(source.id, thyroid, trachea, source.ct_path, tuple(notes), _given_trachea(source))


def case_from_volumes(case_id: str, thyroid: Volume, trachea: Volume, *, ct_path: Path | None = None) -> Case:
    """Return the case of two masks in memory, each on the grid of the whole scan (non-zero inside)."""
    return Case(case_id, mask_in_scan(thyroid), mask_in_scan(trachea), ct_path)


def _given_trachea(source: CaseSource) -> str:
    if source.kind != "labels" or not source.labels:
        return ""
    given = [
        number for number, name in source.labels.items() if (part := part_called(name)) and part.structure is TRACHEA
    ]
    return f"label {' and '.join(map(str, given))} of {source.labels_path}, given as the trachea" if given else ""


def _missing_note(source: CaseSource, structure: Structure) -> str:
    text = f"{NO_SEGMENTATION} of the {structure.name}"
    if source.kind != "masks" or not source.files:
        return text
    folder = source.files[0].parent
    files = (path for path in folder.iterdir() if path not in source.files and path.is_file())
    others = sorted(path.name for path in files if is_image_file(path.name))
    listed = listed_shortly(others) or "no other masks"
    option = structure.name.removesuffix("_gland")
    return f"{text} in {folder} (found {listed}); name its mask {structure.name}.nii.gz, or use --{option}"


def _or_empty(found: dict[Structure, Mask], structure: Structure) -> Mask:
    if structure in found:
        return found[structure]
    # The empty mask gets the scan of the other structure.
    other = next(iter(found.values()), None)
    scan = other.scan if other is not None else Grid((1, 1, 1), np.eye(4))
    return mask_in_scan(Volume(np.zeros((1, 1, 1), dtype=np.uint8), scan.ijk_to_ras), scan)


def _check_together(source: CaseSource, thyroid: Mask, trachea: Mask) -> list[str]:
    """Check that two mask files belong together; return a note if they lie on different grids.

    Different grids are allowed, because masks are placed by their positions in the patient. But two files of the same
    shape were one grid, whose axes may point the other way. If they do not fill the same box, a program lost the
    geometry of one.
    """
    if source.kind != "masks" or thyroid.is_empty or trachea.is_empty or same_grid(thyroid.scan, trachea.scan):
        return []
    files = f"{_listed(source.thyroid_paths)} and {_listed(source.trachea_paths)}"
    corners, others = thyroid.scan.corners(), trachea.scan.corners()
    if thyroid.scan.shape == trachea.scan.shape:
        apart = float(np.linalg.norm(corners[:, None] - others, axis=2).min(axis=1).max())
        if apart > SAME_PLACE_VOXELS * thyroid.scan.spacing_mm.min():
            raise InputError(
                f"{files} have the same size but lie up to {apart:.2f} mm apart, so the geometry of one is wrong. "
                "Export both again from the same segmentation."
            )
    gap = np.maximum(corners.min(axis=0) - others.max(axis=0), others.min(axis=0) - corners.max(axis=0)).max()
    if gap > 0:
        raise InputError(
            f"{files} lie {gap:.0f} mm apart in space. Check that they belong to one patient and one scan."
        )
    return ["thyroid and trachea lie on different grids; each is placed by its own geometry"]


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))
