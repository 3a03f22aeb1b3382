"""Finding cases: what a path holds, and which files make up each case."""

from __future__ import annotations

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
    checked_class_map,
    names_in_extensions,
    normalised,
)
from ThyroidSynthLib.imaging.nifti import is_nifti, read_header
from ThyroidSynthLib.imaging.seg_nrrd import is_segmentation_file

SYNTHETIC_MARK = "SYNTHETIC.txt"
"""A file of this name in a dataset's folder says that its cases are software input, not anatomy."""


@dataclass(frozen=True)
class CaseSource:
    """The files of one case; none is opened before `cases.read_case`.

    Attributes
    ----------
    id : str
        Name of the case: its folder's, or its file's without the suffix.
    kind : {"masks", "labels", "segmentation", "dicom"}
        One file per structure; one multi-label NIfTI; one Slicer segmentation; one DICOM SEG.
    thyroid_path, trachea_path : Path, optional
        The mask files, for "masks"; None where there is none.
    labels_path : Path, optional
        The file, for the other kinds.
    ct_path : Path, optional
        The CT beside them.
    class_map : str, optional
        Key of `labels.CLASS_MAPS`, for "labels" without names.
    """

    id: str
    kind: Literal["masks", "labels", "segmentation", "dicom"]
    thyroid_path: Path | None = None
    trachea_path: Path | None = None
    labels_path: Path | None = None
    ct_path: Path | None = None
    class_map: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files the masks are read from."""
        return tuple(path for path in (self.thyroid_path, self.trachea_path, self.labels_path) if path is not None)


def find_cases(
    path: Path | str | None = None,
    *,
    class_map: str | None = None,
    thyroid: Path | str | None = None,
    trachea: Path | str | None = None,
) -> list[CaseSource]:
    """Find the cases a path holds.

    Parameters
    ----------
    path : path-like, optional
        A TotalSegmentator training dataset or one case of it; an output folder of a TotalSegmentator
        run or a folder of such; a multi-label NIfTI (``--ml``), a Slicer segmentation (``.seg.nrrd``),
        a DICOM SEG, or a folder of such files.
    class_map : str, optional
        Whose label numbers a multi-label NIfTI without names holds ("total-v2").
    thyroid, trachea : path-like, optional
        Two mask files, instead of `path`.

    Returns
    -------
    list of CaseSource
        Sorted by id, ids unique.

    Raises
    ------
    InputError
        There is nothing of the kind at `path`, or the parameters contradict each other.
    """
    if class_map is not None:
        checked_class_map(class_map)
    if path is None:
        if class_map is not None:
            raise InputError(
                f"The class map {class_map} says what the labels of multi-label files mean, and two mask files have "
                "none. Leave the class map out, or give a multi-label file."
            )
        if thyroid is None or trachea is None:
            raise InputError("Give a folder or file with cases, or both a thyroid mask and a trachea mask.")
        return [_of_two_masks(Path(thyroid).absolute(), Path(trachea).absolute())]
    if thyroid is not None or trachea is not None:
        raise InputError("Give either a folder or file with cases, or two mask files, not both.")
    # Written out, because the case in a folder given as "." is named after it; links keep their names.
    path = Path(path).resolve() if ".." in Path(path).parts else Path(path).absolute()
    if path.is_file():
        return [_of_file(path, class_map)]
    if not path.is_dir():
        raise InputError(f"{path} does not exist. Check the path.")
    own = _of_folder(path)
    found = [own] if own is not None else _of_children(path, class_map)
    if not found:
        raise InputError(
            f"{path} holds no cases. Expected a TotalSegmentator dataset (folders with 'segmentations'), output "
            "folders with thyroid_gland.nii.gz and trachea.nii.gz, multi-label NIfTI files with label names, "
            ".seg.nrrd files or DICOM SEG. For label files without names say the class map (total-v2)."
        )
    return found


def synthetic_statement(path: Path | str) -> str | None:
    """Give what the dataset at or above `path` says of being synthetic, None for real data.

    Of the mark's text the first paragraph is taken.
    """
    start = Path(path).resolve()
    # A case may be given by itself: its dataset is one folder up, its mask files' two.
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


def _of_file(path: Path, class_map: str | None) -> CaseSource:
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
    if not named and class_map is None:
        raise InputError(
            f"{path} holds no label names. If it is the mask of one structure give a thyroid and a trachea "
            "mask; if "
            "it is a multi-label map of TotalSegmentator v2 ('total') say the class map (total-v2)."
        )
    return CaseSource(stem_of(path), "labels", labels_path=path, class_map=class_map)


def _of_folder(folder: Path) -> CaseSource | None:
    """See a folder as one case: of the training dataset, of a TotalSegmentator run, or with one DICOM SEG."""
    inside = folder / "segmentations"
    ct_path = folder / "ct.nii.gz"
    ct_path = ct_path if ct_path.is_file() else None
    where = inside if inside.is_dir() else folder
    thyroid, trachea = (_mask_file(where, structure) for structure in (THYROID, TRACHEA))
    if where is folder and thyroid is None and trachea is None:
        found = [path for path in sorted(folder.iterdir()) if _is_loose_dicom_seg(path)]
        return CaseSource(folder.name, "dicom", labels_path=found[0]) if len(found) == 1 else None
    # A dataset's case without the two files is still a case: quality control names what it lacks.
    return CaseSource(folder.name, "masks", thyroid_path=thyroid, trachea_path=trachea, ct_path=ct_path)


def _mask_file(folder: Path, structure: Structure) -> Path | None:
    """Find a structure's mask, under TotalSegmentator's own name first."""
    for suffix in (".nii.gz", ".nii"):
        if (usual := folder / f"{structure.name}{suffix}").is_file():
            return usual
    for path in sorted(folder.iterdir()):
        if is_nifti(path) and normalised(stem_of(path)) in structure.names:
            return path
    return None


def _of_children(folder: Path, class_map: str | None) -> list[CaseSource]:
    found: dict[str, CaseSource] = {}
    for child in sorted(folder.iterdir()):
        if child.name.startswith("."):
            continue
        source = _of_folder(child) if child.is_dir() else _of_loose_file(child, class_map)
        if source is None:
            continue
        if source.id in found:
            raise InputError(f"{folder} holds two cases named {source.id} ({child.name} is one). Rename one of them.")
        found[source.id] = source
    return [found[key] for key in sorted(found)]


def _of_loose_file(path: Path, class_map: str | None) -> CaseSource | None:
    """See a file among others as a case only when it surely is one: CTs may lie beside it."""
    if is_segmentation_file(path) or _is_loose_dicom_seg(path):
        return _of_file(path, class_map)
    if not is_nifti(path) or normalised(stem_of(path)) == "ct":
        return None
    try:
        named = bool(names_in_extensions(read_header(path).extensions))
    except InputError:
        named = True  # Reading the case will say what is wrong with it; leaving it out would hide it.
    if not named and class_map is None:
        return None
    return CaseSource(stem_of(path), "labels", labels_path=path, class_map=class_map)


def _is_loose_dicom_seg(path: Path) -> bool:
    """Look into a file among others only where its name may be DICOM's: with its suffix, or without one."""
    suffix = path.suffix.lower()
    # Names made of identifiers (1.2.840.…) end in a number after a dot.
    may_be = suffix in ("", ".dcm", ".dicom") or suffix[1:].isdigit()
    return may_be and path.is_file() and is_dicom_seg(path)
