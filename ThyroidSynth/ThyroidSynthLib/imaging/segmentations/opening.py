"""Open one segmentation file of any format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.imaging.dicom_seg import read_dicom_masks, read_dicom_segments
from ThyroidSynthLib.imaging.dicom_series import CONTOURS_CLASS, SEGMENTATION_CLASSES, class_of_dicom
from ThyroidSynthLib.imaging.formats.raw_volume import header_of_raw
from ThyroidSynthLib.imaging.labels import STRUCTURES, THYROID, Structure, normalised, part_called
from ThyroidSynthLib.imaging.masks import Mask, joined_masks, read_mask
from ThyroidSynthLib.imaging.nifti import is_nifti
from ThyroidSynthLib.imaging.seg_nrrd import has_segments, is_segmentation_file, read_masks, read_segments
from ThyroidSynthLib.imaging.segments import Segment, named_by_user, nothing_found, structures_among

from .class_maps import other_organs
from .given_labels import labels_of_dataset_beside
from .label_files import labels_in, read_label_masks, read_label_segments
from .rtstruct import read_contour_masks, read_contour_segments

Kind: TypeAlias = Literal["labels", "segmentation", "dicom", "contours"]
"""A label map or mask (NIfTI, NRRD, MetaImage); a Slicer segmentation (.seg.nrrd); a DICOM SEG; a DICOM RTSTRUCT."""

_NO_THYROID = (
    "the given labels have no thyroid; TotalSegmentator has one from version 2 on, in its task 'total' (total-v2)"
)

Masks: TypeAlias = tuple[dict[Structure, Mask], tuple[str, ...]]

_NRRD_SUFFIXES = (".nrrd", ".nhdr")
_META_SUFFIXES = (".mha", ".mhd")


class _Format(NamedTuple):
    """How a kind of file is read: the list of its segments, and the masks of some of them with remarks."""

    segments: Callable[[Path], list[Segment]]
    masks: Callable[[Path, Mapping[int, Segment]], tuple[dict[int, Mask], tuple[str, ...]]]


_FORMATS: dict[Kind, _Format] = {
    "labels": _Format(read_label_segments, read_label_masks),
    "segmentation": _Format(read_segments, lambda path, chosen: (read_masks(path, chosen), ())),
    "dicom": _Format(read_dicom_segments, read_dicom_masks),
    "contours": _Format(read_contour_segments, read_contour_masks),
}


@dataclass(frozen=True)
class SegmentationFile:
    """A segmentation file whose header was read.

    Attributes
    ----------
    kind : str
        One of `Kind`.
    segments : tuple of Segment
        All segments, named by the file or by the user; empty for a label map or mask without names.
    notes : tuple of str
        Remarks for the user.
    """

    path: Path
    kind: Kind
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether the segments have names; a label map without them is useless unless it is a single mask."""
        return bool(self.segments)

    def check_named(self) -> None:
        """Raise `InputError` if the file is a label map without names, which only the user can give."""
        if not self.named:
            raise InputError(
                f"{self.path} has no label names, and label numbers mean different structures in different files. "
                "State the labels (--labels thyroid=N,trachea=M), or the class map if it was made by TotalSegmentator "
                "(--class-map total-v2 for the task 'total' of version 2). The mask of one structure needs its name "
                "as file name: thyroid_gland.nii.gz, trachea.nii.gz."
            )

    def structures(self, only: Structure | None = None) -> tuple[dict[Structure, tuple[Segment, ...]], tuple[str, ...]]:
        """Return the segments of thyroid and trachea, or of one of them, that the file has, and remarks.

        Lobes are segments of their own. `InputError` if several segments may be the same structure.
        """
        chosen, remarks = structures_among(self.path, self.segments, STRUCTURES if only is None else (only,))
        return chosen, (*self.notes, *remarks)

    def masks(self, only: Structure | None = None) -> Masks:
        """Read the masks of thyroid and trachea, or only one of them, lobes joined.

        Returns
        -------
        masks : dict
            A mask in `ras_mm` for each of the structures that the file has a segment of; at least one.
        notes : tuple of str
            Remarks for the user about how the file was read.

        Raises
        ------
        InputError
            The file cannot be read, has no names, or has neither of the structures.
        """
        self.check_named()
        chosen, notes = self.structures(only)
        if not chosen:
            raise nothing_found(self.path, self.segments, only)
        flat = {n: segment for n, segment in enumerate(s for segments in chosen.values() for s in segments)}
        try:
            read, remarks = _FORMATS[self.kind].masks(self.path, flat)
        except InputError as error:
            # It may be the reason why labels do not occur.
            raise (InputError(f"{error} Note: {_NO_THYROID}.") if _NO_THYROID in self.notes else error) from error
        found, at = {}, 0
        for structure, segments in chosen.items():
            parts = [read[n] for n in range(at, at + len(segments))]
            found[structure] = joined_masks(parts, source=f"the {structure.name} in {self.path}")
            at += len(segments)
        return found, (*notes, *remarks)

    def segment_masks(self) -> tuple[list[Mask], tuple[str, ...]]:
        """Read the masks of all segments, in their order, and remarks."""
        read, remarks = _FORMATS[self.kind].masks(self.path, dict(enumerate(self.segments)))
        return [read[n] for n in range(len(self.segments))], remarks

    def masks_of(self, segments: Sequence[Segment]) -> list[Mask]:
        """Read the masks of some of the segments, in their order."""
        read, _ = _FORMATS[self.kind].masks(self.path, dict(enumerate(segments)))
        return [read[n] for n in range(len(segments))]

    def labels_present(self) -> list[int]:
        """Return the labels that occur in the voxels of a label map, or the numbers of the segments."""
        return labels_in(self.path) if self.kind == "labels" else sorted({s.label for s in self.segments})


def segmentation_kind(path: Path | str) -> Kind | None:
    """Return which kind of segmentation a file is by its name, or its first bytes for DICOM; None if it is none."""
    path = Path(path)
    if is_segmentation_file(path) or (path.suffix.lower() in _NRRD_SUFFIXES and has_segments(path)):
        return "segmentation"
    suffix = path.suffix.lower()
    if is_nifti(path) or suffix in (*_NRRD_SUFFIXES, *_META_SUFFIXES):
        return "labels"
    if suffix == ".raw" and header_of_raw(path).exists():
        return "labels"
    sop_class = class_of_dicom(path)
    return "dicom" if sop_class in SEGMENTATION_CLASSES else "contours" if sop_class == CONTOURS_CLASS else None


def open_segmentation(path: Path | str, *, labels: Mapping[int, str] | None = None) -> SegmentationFile:
    """Read the header of a segmentation file of any format.

    Parameters
    ----------
    path : path-like
        A label map or mask (NIfTI, NRRD, MetaImage), a Slicer segmentation (.seg.nrrd), a DICOM SEG or
        a DICOM RTSTRUCT.
    labels : mapping of int to str, optional
        Names of label numbers given by the user, for a file without names or with other ones.

    Raises
    ------
    InputError
        The file cannot be read, is of another kind, or its names contradict `labels`.
    """
    path = Path(path)
    checked_file(path)
    kind = segmentation_kind(path)
    if kind is None:
        raise InputError(
            f"{path} is neither a NIfTI file (.nii, .nii.gz), an NRRD or MetaImage file (.nrrd, .mha), a Slicer "
            "segmentation (.seg.nrrd), a DICOM segmentation (SEG), nor a DICOM RTSTRUCT. Choose another file, or "
            "convert a label map of another format to .nii.gz."
        )
    segments = _FORMATS[kind].segments(path)
    notes: tuple[str, ...] = ()
    if labels:
        strict = kind == "labels"
        segments = named_by_user(path, segments, labels, other_organs=other_organs(), strict=strict)
        if strict and not any((part := segment.part) and part.structure is THYROID for segment in segments):
            notes = (_NO_THYROID,)
    elif kind == "labels" and not segments and (found := labels_of_dataset_beside(path)) is not None:
        dataset, table = found
        segments = named_by_user(path, [], table)
        notes = (f"the labels were read from {dataset}",)
    return SegmentationFile(path, kind, tuple(segments), notes)


def read_structure(
    paths: Path | str | Sequence[Path | str], structure: Structure, *, labels: Mapping[int, str] | None = None
) -> tuple[Mask, tuple[str, ...]]:
    """Read one structure from a file that was chosen for it, or from one file for each lobe.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        A mask, or any other segmentation that has the structure.
    labels : mapping of int to str, optional
        As in `open_segmentation`.

    Raises
    ------
    InputError
        A file cannot be read or does not have the structure, or the lobes lie on different grids.
    """
    several = [paths] if isinstance(paths, (str, Path)) else list(paths)
    masks: list[Mask] = []
    notes: list[str] = []
    for path in several:
        mask, remarks = _one_structure(Path(path), structure, labels)
        masks.append(mask)
        notes += remarks
    joined = joined_masks(masks, source=f"the {structure.name} ({', '.join(str(path) for path in several)})")
    return joined, tuple(notes)


def _one_structure(path: Path, structure: Structure, labels: Mapping[int, str] | None) -> tuple[Mask, tuple[str, ...]]:
    opened = open_segmentation(path, labels=labels)
    if opened.kind == "labels" and _is_mask(opened, structure):
        return read_mask(path), ()
    alone = opened.segments[0] if len(opened.segments) == 1 and opened.kind != "labels" else None
    if alone is not None and not (alone.part or alone.is_something_else or normalised(alone.name) in other_organs()):
        masks, notes = opened.segment_masks()
        return masks[0], (*notes, f"its only segment, {alone.name or alone.id}, was taken as the {structure.name}")
    found, notes = opened.masks(structure)
    return found[structure], notes


def _is_mask(opened: SegmentationFile, structure: Structure) -> bool:
    """Check whether a label map that was chosen for a structure is the mask of it, whatever names its labels have."""
    own = part_called(opened.path.name.partition(".")[0])
    if not opened.named or (own is not None and own.structure is structure):
        return True
    if not all(segment.given for segment in opened.segments):
        return False
    values = opened.labels_present()
    others = {s.label for s in opened.segments if s.part is not None and s.part.structure is not structure}
    return len(values) < 2 and not others.intersection(values)
