"""Find the cases at a path, and the files of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.imaging.dicom_seg import is_dicom_seg
from ThyroidSynthLib.imaging.labels import (
    THYROID,
    TRACHEA,
    Structure,
    names_in_extensions,
    normalised,
    structure_called,
)
from ThyroidSynthLib.imaging.nifti import is_nifti, read_header
from ThyroidSynthLib.imaging.seg_nrrd import is_segmentation_file

SYNTHETIC_MARK = "SYNTHETIC.txt"
"""A file of this name in the folder of a dataset states that its cases are synthetic."""


@dataclass(frozen=True)
class CaseSource:
    """The files of one case, which are read by `cases.read_case`.

    Attributes
    ----------
    id : str
        Name of its folder, or of its file without the suffix.
    kind : {"masks", "labels", "segmentation", "dicom"}
        One file per structure; one multi-label NIfTI file; one Slicer segmentation; one DICOM SEG.
    thyroid_path, trachea_path : Path, optional
        The mask files of "masks"; None for a missing one.
    labels_path : Path, optional
        The file of the other kinds.
    ct_path : Path, optional
        The CT in the same folder.
    labels : mapping of int to str, optional
        Names of label numbers, for "labels" without names.
    """

    id: str
    kind: Literal["masks", "labels", "segmentation", "dicom"]
    thyroid_path: Path | None = None
    trachea_path: Path | None = None
    labels_path: Path | None = None
    ct_path: Path | None = None
    labels: Mapping[int, str] | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files from which the masks are read."""
        return tuple(path for path in (self.thyroid_path, self.trachea_path, self.labels_path) if path is not None)


def find_cases(
    path: Path | str | None = None,
    *,
    labels: Mapping[int, str] | None = None,
    thyroid: Path | str | None = None,
    trachea: Path | str | None = None,
) -> list[CaseSource]:
    """Find the cases at a path.

    Parameters
    ----------
    path : path-like, optional
        A TotalSegmentator training dataset or one of its cases; an output folder of TotalSegmentator or a
        folder of such folders; a multi-label NIfTI file (``--ml``), a Slicer segmentation
        (``.seg.nrrd``), a DICOM SEG, or a folder of such files.
    labels : mapping of int to str, optional
        Names of the label numbers of multi-label files without names.
    thyroid, trachea : path-like, optional
        Two mask files, instead of `path`.

    Returns
    -------
    list of CaseSource
        Sorted by id, ids unique.

    Raises
    ------
    InputError
        There is no case, or the parameters contradict each other.
    """
    if path is None:
        if thyroid is None or trachea is None:
            raise InputError("Give a folder or file with cases, or both a thyroid mask and a trachea mask.")
        return [_of_two_masks(Path(thyroid).absolute(), Path(trachea).absolute())]
    if thyroid is not None or trachea is not None:
        raise InputError("Give either a folder or file with cases, or two mask files, not both.")
    # The absolute path names the case if the folder is given as "."; symbolic links keep their names.
    path = Path(path).resolve() if ".." in Path(path).parts else Path(path).absolute()
    if path.is_file():
        return [_of_file(path, labels)]
    if not path.is_dir():
        raise InputError(f"{path} does not exist. Check the path.")
    own = _of_folder(path)
    found = [own] if own is not None else _of_children(path, labels)
    if not found:
        raise InputError(
            f"{path} holds no cases. Expected a TotalSegmentator dataset (folders with 'segmentations'), output "
            "folders with thyroid_gland.nii.gz and trachea.nii.gz, multi-label NIfTI files with label names, "
            ".seg.nrrd files or DICOM SEG. For label files without names state the labels "
            "(--labels thyroid=N,trachea=M)."
        )
    return found


def labels_of_structures(labels: Mapping[int, str] | None) -> dict[str, str] | None:
    """Return those given label names that are of the thyroid or the trachea, with the numbers as text for a record."""
    if labels is None:
        return None
    return {str(number): name for number, name in sorted(labels.items()) if structure_called(name)}


def synthetic_statement(path: Path | str) -> str | None:
    """Return the statement of a synthetic dataset at or above `path`, None for real data.

    The statement is the first paragraph of its file `SYNTHETIC_MARK`.
    """
    start = Path(path).resolve()
    # The dataset may be the parent of a given case, or the third parent of a given mask file.
    for folder in (start, *start.parents)[:4]:
        mark = folder / SYNTHETIC_MARK
        if mark.is_file():
            text = mark.read_text(encoding="utf-8", errors="replace").strip()
            return " ".join(text.split("\n\n")[0].split()) or "Synthetic cases: software input, not anatomy."
    return None


def _of_two_masks(thyroid: Path, trachea: Path) -> CaseSource:
    for path in (thyroid, trachea):
        if not path.is_file():
            raise InputError(f"{path} does not exist. Check the path.")
    stem = stem_of(thyroid)
    if normalised(stem) in THYROID.names:
        folder = thyroid.parent
        stem = (folder.parent if folder.name == "segmentations" else folder).name or stem
    return CaseSource(stem, "masks", thyroid_path=thyroid, trachea_path=trachea)


def _of_file(path: Path, labels: Mapping[int, str] | None) -> CaseSource:
    if is_segmentation_file(path):
        return CaseSource(stem_of(path), "segmentation", labels_path=path)
    if not is_nifti(path):
        if is_dicom_seg(path):
            return CaseSource(stem_of(path), "dicom", labels_path=path)
        raise InputError(
            f"{path} is neither a NIfTI file (.nii, .nii.gz), nor a Slicer segmentation (.seg.nrrd), nor a DICOM "
            "segmentation (SEG)."
        )
    named = bool(names_in_extensions(read_header(path).extensions))
    if not named and labels is None:
        raise InputError(
            f"{path} holds no label names. If it is the mask of one structure, give a thyroid and a trachea mask. "
            "If it is a multi-label map, state its labels (--labels thyroid=N,trachea=M), or the class map if it was "
            "made by TotalSegmentator (--class-map total-v2)."
        )
    return CaseSource(stem_of(path), "labels", labels_path=path, labels=labels)


def _of_folder(folder: Path) -> CaseSource | None:
    """Return the case of a folder of the training dataset, of a TotalSegmentator run, or with one DICOM SEG."""
    inside = folder / "segmentations"
    ct = folder / "ct.nii.gz"
    masks = inside if inside.is_dir() else folder
    thyroid, trachea = (_mask_file(masks, structure) for structure in (THYROID, TRACHEA))
    if masks is folder and thyroid is None and trachea is None:
        found = [path for path in sorted(folder.iterdir()) if _is_loose_dicom_seg(path)]
        return CaseSource(folder.name, "dicom", labels_path=found[0]) if len(found) == 1 else None
    # A case without the two files is kept, so that quality control reports what is missing.
    ct_path = ct if ct.is_file() else None
    return CaseSource(folder.name, "masks", thyroid_path=thyroid, trachea_path=trachea, ct_path=ct_path)


def _mask_file(folder: Path, structure: Structure) -> Path | None:
    """Find the mask file of a structure, preferring TotalSegmentator's own name."""
    files = [path for path in sorted(folder.iterdir()) if is_nifti(path)]
    usual = [folder / f"{structure.name}{suffix}" for suffix in (".nii.gz", ".nii")]
    others = [path for path in files if normalised(stem_of(path)) in structure.names]
    return next((path for path in (*usual, *others) if path in files), None)


def _of_children(folder: Path, labels: Mapping[int, str] | None) -> list[CaseSource]:
    found: dict[str, CaseSource] = {}
    for child in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        source = _of_folder(child) if child.is_dir() else _of_loose_file(child, labels)
        if source is None:
            continue
        if source.id in found:
            raise InputError(f"{folder} holds two cases named {source.id} ({child.name} is one). Rename one of them.")
        found[source.id] = source
    return [found[key] for key in sorted(found)]


def _of_loose_file(path: Path, labels: Mapping[int, str] | None) -> CaseSource | None:
    """Return the case of a file in a folder, if it certainly is one: the folder may also hold CTs."""
    if is_segmentation_file(path) or _is_loose_dicom_seg(path):
        return _of_file(path, labels)
    if not is_nifti(path) or normalised(stem_of(path)) == "ct":
        return None
    try:
        named = bool(names_in_extensions(read_header(path).extensions))
    except InputError:
        named = True  # Kept, so that reading the case reports the error.
    if not named and labels is None:
        return None
    return CaseSource(stem_of(path), "labels", labels_path=path, labels=labels)


def _is_loose_dicom_seg(path: Path) -> bool:
    """Check whether a file is a DICOM SEG; files whose names are not those of DICOM files are not opened."""
    suffix = path.suffix.lower()
    # DICOM files are often named by an identifier (1.2.840.…), which ends in a number.
    may_be = suffix in ("", ".dcm", ".dicom") or suffix[1:].isdigit()
    return may_be and path.is_file() and is_dicom_seg(path)
