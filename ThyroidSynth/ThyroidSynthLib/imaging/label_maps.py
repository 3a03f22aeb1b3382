"""Label maps of several structures: one label per voxel, with the names of the labels."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.common.progress import ShouldStop, check, never
from ThyroidSynthLib.geometry.volume import Volume

from .labels import CLASS_MAPS, THYROID, checked_class_map, names_in_extensions, structure_called, structure_coded
from .masks import Mask, read_mask
from .nifti import is_nifti, read_header, read_nifti
from .seg_nrrd import Segment, is_segmentation_file, read_masks, read_segments

BACKGROUND = 0

_SAME_PLACE_VOXELS = 0.1


@dataclass(frozen=True)
class LabelMap:
    """A label map of several structures: integers, 0 for the background, and the name of each label."""

    volume: Volume
    names: dict[int, str]

    def thyroid_labels(self) -> list[int]:
        """Return all labels that are named as the thyroid, in ascending order."""
        return [label for label, name in sorted(self.names.items()) if structure_called(name) is THYROID]

    def thyroid_label(self) -> int | None:
        """Return the label that is named as the thyroid, or None; `InputError` if several labels are."""
        found = self.thyroid_labels()
        if len(found) > 1:
            listed = " and ".join(f"{label} ({self.names[label]})" for label in found)
            raise InputError(f"Labels {listed} are both named as the thyroid. Choose one of them.")
        return found[0] if found else None


def read_label_map(path: Path | str, *, class_map: str | None = None, should_stop: ShouldStop = never) -> LabelMap:
    """Read all structures of a patient as one label map.

    Parameters
    ----------
    path : path-like
        A multi-label NIfTI of TotalSegmentator (``--ml``), a Slicer segmentation (``.seg.nrrd``), or a
        folder of masks (``<class>.nii.gz`` each, or a case of the training dataset).
    class_map : str, optional
        Class map of a multi-label NIfTI without names ("total-v2").
    """
    path = Path(path)
    if path.is_dir():
        return _of_folder(path, should_stop)
    if is_segmentation_file(path):
        return _of_segmentation(path)
    if is_nifti(path):
        return _of_nifti(path, class_map)
    raise InputError(
        f"{path} is not a label map. Choose a multi-label NIfTI, a Slicer segmentation (.seg.nrrd) or a folder of "
        "masks."
    )


def combine_masks(masks: Mapping[str, Mask], *, source: str = "The masks") -> LabelMap:
    """Combine masks of one scan in a label map, with labels from 1 on; later masks replace earlier ones.

    `source`, where they come from, is for messages. `InputError` if they are not of one scan, or there are none.
    """
    if not masks:
        raise InputError(f"{source}: there are no structures. Choose another segmentation.")
    first = next(iter(masks.values()))
    array = np.zeros(first.scan.shape, dtype=np.uint8 if len(masks) < 256 else np.uint16)
    tolerance_mm = _SAME_PLACE_VOXELS * first.scan.spacing_mm.min()
    for label, (name, mask) in enumerate(masks.items(), start=1):
        if mask.scan.shape != first.scan.shape or mask.scan.corner_distance_mm(first.scan) > tolerance_mm:
            raise InputError(f"{source}: the grid of {name} differs from the others. Export all again from one scan.")
        if not mask.is_empty:
            array[mask.box][mask.volume.array != 0] = label
    return LabelMap(Volume(array, first.scan.ijk_to_ras), dict(enumerate(masks, start=1)))


def _of_nifti(path: Path, class_map: str | None) -> LabelMap:
    header = read_header(path)
    names = names_in_extensions(header.extensions)
    known = {}
    if not names and class_map is not None:
        known = {label: structure.name for structure, label in CLASS_MAPS[checked_class_map(class_map)].items()}
    elif not names:
        raise InputError(
            f"{path} has no label names, so it is unknown which label is the thyroid. If it is a label map of the "
            "TotalSegmentator v2 task 'total', choose the class map total-v2."
        )
    volume = read_nifti(path)
    array = volume.array
    if not np.issubdtype(array.dtype, np.integer):
        if not np.array_equal(array, np.round(array)):
            raise InputError(f"{path} has fractional values, so it is not a label map. Choose another file.")
        array = array.astype(np.int32)
    found = np.unique(array)
    if found[0] < 0:
        raise InputError(f"{path} has negative labels. Choose another file.")
    if not names:
        names = {int(label): known.get(int(label), f"label {label}") for label in found if label != BACKGROUND}
    return LabelMap(Volume(array.astype(np.uint8 if found[-1] < 256 else np.uint16), volume.ijk_to_ras), names)


def _of_segmentation(path: Path) -> LabelMap:
    named: dict[str, Segment] = {}
    for segment in read_segments(path):
        named[unique_name(_name_of(segment), named)] = segment
    return combine_masks(read_masks(path, named), source=str(path))


def unique_name(name: str, taken: Container[str]) -> str:
    """Return a name, with a number added if it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free


def _name_of(segment: Segment) -> str:
    """Return a segment's name, or the name of the structure that its code stands for if the name says otherwise."""
    coded = structure_coded(segment.terminology)
    return segment.name if coded is None or structure_called(segment.name) is coded else coded.name


def _of_folder(folder: Path, should_stop: ShouldStop) -> LabelMap:
    inside = folder / "segmentations"
    where = inside if inside.is_dir() else folder
    files = [path for path in sorted(where.iterdir()) if is_nifti(path) and stem_of(path).lower() != "ct"]
    if not files:
        raise InputError(f"{where} has no masks (<class>.nii.gz). Choose the folder of a case.")
    masks = {}
    for path in files:
        check(should_stop)
        masks[stem_of(path)] = read_mask(path)
    return combine_masks(masks, source=str(where))
