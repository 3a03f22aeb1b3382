"""Read all structures of a patient as one label map."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap, combine_masks, unique_name
from ThyroidSynthLib.imaging.label_table import Look
from ThyroidSynthLib.imaging.labels import THYROID, colours_in_extensions, normalised, part_called, structure_called
from ThyroidSynthLib.imaging.masks import Mask, read_mask
from ThyroidSynthLib.imaging.nifti import is_nifti, read_header
from ThyroidSynthLib.imaging.segments import Segment

from .class_maps import DEFAULT_CLASS_MAP, class_map_labels
from .label_files import read_whole_labels
from .opening import SegmentationFile, open_segmentation, segmentation_kind


def read_label_map(
    path: Path | str, *, labels: Mapping[int, str] | None = None, without: Collection[str] = ()
) -> LabelMap:
    """Read all structures of a patient as one label map.

    Parameters
    ----------
    path : path-like
        A segmentation file of any format that `open_segmentation` reads, whose labels are kept; a folder with one; or
        a folder of masks (``<class>.nii.gz`` each, or a case of the training dataset), which get TotalSegmentator's
        labels.
    labels : mapping of int to str, optional
        Names of label numbers: of a file without names, or for the masks of a folder.
    without : collection of str
        Names of masks in a folder that are left out, such as that of the body, which would cover others.
    """
    path = Path(path)
    if path.is_dir():
        return _of_folder(path, labels, without)
    opened = open_segmentation(path, labels=labels)
    return _of_labels(opened) if opened.kind == "labels" else _of_segments(opened)


def _of_labels(opened: SegmentationFile) -> LabelMap:
    if not opened.named:
        raise InputError(
            f"{opened.path} has no label names, so it is unknown which label is the thyroid. State the labels "
            "(--labels thyroid=N), or the class map if it was made by TotalSegmentator (--class-map total-v2)."
        )
    volume = read_whole_labels(opened.path)
    found = [int(label) for label in np.unique(volume.array) if label != BACKGROUND]
    known = {segment.label: segment.name for segment in opened.segments}
    if any(segment.given for segment in opened.segments):
        known = {label: known.get(label, f"label {label}") for label in found}
    colours = colours_in_extensions(read_header(opened.path).extensions) if is_nifti(opened.path) else {}
    return LabelMap(volume, known, {label: Look(colours[label]) for label in known if label in colours})


def _of_segments(opened: SegmentationFile) -> LabelMap:
    masks, _ = opened.segment_masks()
    named: dict[str, Mask] = {}
    labels: dict[str, int] = {}
    # Segments of different layers may have the same value.
    free = count(max(segment.label for segment in opened.segments) + 1)
    for segment, mask in zip(opened.segments, masks, strict=True):
        name = unique_name(_name_of(segment), named)
        taken = segment.label == BACKGROUND or segment.label in labels.values()
        named[name], labels[name] = mask, next(free) if taken else segment.label
    looks = {
        labels[name]: Look(segment.colour, segment.terminology, segment.id)
        for name, segment in zip(named, opened.segments, strict=True)
    }
    return replace(combine_masks(named, labels=labels, source=str(opened.path)), looks=looks)


def _name_of(segment: Segment) -> str:
    """Return a segment's name, or the name of the structure that it is by its code if the name says otherwise."""
    part = segment.part
    return segment.name if part is None or structure_called(segment.name) is part.structure else part.structure.name


def _of_folder(folder: Path, labels: Mapping[int, str] | None, without: Collection[str]) -> LabelMap:
    inside = folder / "segmentations"
    where = inside if inside.is_dir() else folder
    files = [
        path for path in sorted(where.iterdir()) if is_nifti(path) and stem_of(path).lower() not in ("ct", *without)
    ]
    if len(files) < 2 and (alone := _only_segmentation(where, labels)) is not None:
        return read_label_map(alone, labels=labels)
    if not files:
        raise InputError(
            f"{where} has neither masks (<class>.nii.gz) nor one segmentation file of all structures. "
            "Choose the folder of a case, or its file."
        )
    masks = {stem_of(path): read_mask(path) for path in files}
    # TotalSegmentator writes an empty mask for each class that it did not find.
    found = {name: mask for name, mask in masks.items() if not mask.is_empty}
    if not found:
        raise InputError(f"All masks in {where} are empty. Choose the folder of a case.")
    combined = combine_masks(found, labels=_numbers(list(found), labels), source=str(where))
    parts = [part for name in found if (part := part_called(name)) is not None]
    if any(part.structure is THYROID and not part.side for part in parts):
        return combined
    # A whole thyroid that is added gets its usual label, too.
    usual = _numbers([*found, THYROID.name], labels)[THYROID.name]
    return replace(combined, names={**combined.names, usual: THYROID.name})


def _only_segmentation(folder: Path, labels: Mapping[int, str] | None) -> Path | None:
    """Return the only segmentation file in a folder, unless it is a mask or its labels have no names."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and stem_of(path).lower() != "ct"]
    found = [path for path in files if segmentation_kind(path) is not None]
    if len(found) != 1 or part_called(stem_of(found[0])) is not None:
        return None
    return found[0] if open_segmentation(found[0], labels=labels).named else None


def _numbers(names: Sequence[str], given: Mapping[int, str] | None) -> dict[str, int]:
    """Return the label of each name: the given one, else TotalSegmentator's (task total of v2), else a free one."""
    given = given or {}
    usual = {_key(name): label for label, name in class_map_labels(DEFAULT_CLASS_MAP).items()}
    known = {name: label for name, label in usual.items() if label not in given}
    known |= {_key(name): label for label, name in given.items()}
    free = count(max([*usual.values(), *given]) + 1)
    numbers: dict[str, int] = {}
    for name in names:
        # Two masks of one structure get different labels.
        numbers[name] = next(free) if known.get(_key(name)) in (None, *numbers.values()) else known[_key(name)]
    return numbers


def _key(name: str) -> str:
    """Return what is the same for all names of a structure, such as "Glnd_Thyroid" and "thyroid gland"."""
    part = part_called(name)
    return normalised(name if part is None or part.side else part.structure.name)
