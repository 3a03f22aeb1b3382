"""Mask files that are named as thyroid or trachea, alone or together with the name of their case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.imaging.labels import (
    THYROID,
    TRACHEA,
    WHOLE,
    Part,
    Structure,
    is_lesion,
    normalised,
    part_called,
)
from ThyroidSynthLib.imaging.segmentations.class_maps import other_organs
from ThyroidSynthLib.imaging.segments import whole_or_lobes

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")

_SEPARATORS = re.compile(r"[\s_.-]+")


def is_image_file(name: str) -> bool:
    """Check whether a file name is that of an image or a label map that is not a Slicer segmentation."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.lower().endswith(".seg.nrrd")


# The same names occur in the folder of every case.
@lru_cache(maxsize=10_000)
def part_in_name(name: str) -> Part | None:
    """Return which structure or lobe the whole name of a file stands for."""
    return part_called(stem_of(Path(name)))


@lru_cache(maxsize=10_000)
def is_other_organ(name: str) -> bool:
    """Check whether a file has the name that TotalSegmentator gives to another structure."""
    return normalised(stem_of(Path(name))) in other_organs()


def part_of_mask(path: Path) -> Part | None:
    """Return which structure or lobe a mask file is by its name, by a part of its name, or by that of its folder."""
    return part_in_name(path.name) or split_name(path.name)[1] or part_called(path.parent.name)


@lru_cache(maxsize=10_000)
def split_name(name: str) -> tuple[str, Part | None]:
    """Split the name of a file such as ``p1_thyroid.nii.gz`` or ``thyroid_p1.nii.gz`` into case and structure.

    Returns
    -------
    case : str
        "p1"; empty if no structure is named.
    part : Part or None
        The structure or lobe.
    """
    stem = stem_of(Path(name))
    cuts = [(each.start(), each.end()) for each in _SEPARATORS.finditer(stem)]
    ends = [(stem[:start], stem[end:]) for start, end in cuts]
    # The longest name of a structure counts: that in "thyroid_gland_1" is "thyroid_gland".
    beginnings = [(stem[end:], stem[:start]) for start, end in reversed(cuts)]
    for case, structure in (*ends, *beginnings):
        part = part_called(structure)
        # "PRV_trachea" is no trachea of a case named PRV.
        if case and part is not None and not is_lesion(case):
            return case, part
    return "", None


def whole_or_lobe_files(structure: Structure, paths: Sequence[Path]) -> tuple[list[Path], Sequence[str]]:
    """Return the file of the whole structure, else those of its lobes, and remarks; `InputError` for two of one."""
    if len(paths) == 1 and not _side(paths[0]):
        return list(paths), ()  # It was chosen for the structure, whatever its name.
    wholes, lobes = ([path for path in paths if bool(_side(path)) is lobe] for lobe in (False, True))
    where = str(paths[0].parent)
    return whole_or_lobes(where, structure, wholes, lobes, side_of=_side, name_of=lambda path: path.name)


def masks_among(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the names of the masks of thyroid and trachea, and names that repeat one of them.

    A file of the same name in another format repeats it, and so does every whole structure beside a file with the
    name that TotalSegmentator gives it.
    """
    chosen: dict[str, str] = {}
    repeated = []
    # The suffixes in the order of preference.
    named = [name for name in names if part_in_name(name) is not None]
    for name in sorted(named, key=lambda one: (stem_of(Path(one)).casefold(), _suffix_rank(one), one)):
        stem = stem_of(Path(name))
        if stem.casefold() in chosen:
            repeated.append(name)
        else:
            chosen[stem.casefold()] = name
    for structure in (THYROID, TRACHEA):
        if structure.name in chosen:
            others = [s for s in chosen if s != structure.name and part_called(s) == Part(structure)]
            repeated += [chosen.pop(stem) for stem in others]
    return list(chosen.values()), repeated


def masks_by_case(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the files of each case that has both structures, for files named by case and structure."""
    groups: dict[str, list[str]] = {}
    for name in names:
        case, part = split_name(name)
        if part is not None and part_in_name(name) is None:
            groups.setdefault(case, []).append(name)
    return {case: found for case, found in groups.items() if has_both(map(Path, found))}


def masks_by_folder(folders: Iterable[tuple[Path, Sequence[str]]]) -> dict[str, list[Path]]:
    """Return the files of each case in folders that are named by structure, such as ``thyroid/p1.nii.gz``.

    The name of the case is empty for files that are named by structure, too.
    """
    groups: dict[str, list[Path]] = {}
    for folder, names in folders:
        if part_called(folder.name) is None:
            continue
        for name in names:
            stem = stem_of(Path(name))
            if is_image_file(name):
                groups.setdefault("" if part_in_name(name) is not None else stem, []).append(folder / name)
    return {stem: found for stem, found in groups.items() if has_both(found)}


def has_both(paths: Iterable[Path]) -> bool:
    """Check whether mask files are those of a thyroid and a trachea."""
    return {part.structure for path in paths if (part := part_of_mask(path)) is not None} == {THYROID, TRACHEA}


def _side(path: Path) -> str:
    part = part_of_mask(path)
    return part.side if part is not None else WHOLE


def _suffix_rank(name: str) -> int:
    return next((n for n, suffix in enumerate(IMAGE_SUFFIXES) if name.lower().endswith(suffix)), len(IMAGE_SUFFIXES))
