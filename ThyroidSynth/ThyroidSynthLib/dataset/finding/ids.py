"""Ids of cases: unique, made of the part of the path that distinguishes a case, and valid as names of files."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.common.files import stem_of
from ThyroidSynthLib.imaging.dicom_series import may_be_dicom
from ThyroidSynthLib.imaging.labels import normalised, part_called

# A file system allows 255 bytes, of which results need some for suffixes.
_LONGEST_BYTES = 100

# Names that say what a file or folder holds and not of whom, beside those of thyroid and trachea.
_GENERIC = frozenset(
    (
        *(
            "segmentation",
            "segmentations",
            "seg",
            "segs",
            "dicom seg",
            "total",
            "total segmentator",
            "totalsegmentator",
        ),
        *("label", "labels", "labels tr", "labels ts", "labelmap", "label map", "multilabel", "multi label", "ml"),
        *("mask", "masks", "structure", "structures", "structure set", "contour", "contours", "rtstruct", "rtss"),
        *("output", "outputs", "result", "results", "dicom", "dcm", "nifti", "nii", "rs", "rt", "all"),
        *("patients", "cases", "study", "studies", "series", "scan", "scans", "exam", "ct"),
    )
)
_NUMBERED_FILE = re.compile(r"(im|img|image|i|seg|rs|rtss|rtstruct|ss|file)?[\s_.-]*\d*([-.]\d+)*", re.IGNORECASE)
# A date or a number of a scan says which scan of a patient it is, and not which patient.
_SCAN = re.compile(
    r"(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d([-_T ]?\d{4,6})?|"
    r"(study|series|scan|exam|visit|session|ses|timepoint|tp)[\s_-]*\d+",
    re.IGNORECASE,
)
_UID = re.compile(r"\d+(\.\d+){3,}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where a case lies.

    Attributes
    ----------
    root : Path
        The path that the user gave.
    path : Path
        The folder of its masks, or its file.
    is_file : bool
        Whether `path` is a file, whose suffix is no part of the id.
    has_others : bool
        Whether there are other cases in the folder of the file, so that the folder alone does not name it.
    part : str
        The part of the names of its files that is its id, if a folder holds masks of several cases.
    """

    root: Path
    path: Path
    is_file: bool = False
    has_others: bool = False
    part: str = ""


def unique_ids(places: Sequence[Place]) -> list[str]:
    """Return an id for each place.

    An id begins with the last name in the path that says which case it is ("p1" of ``p1/segmentations.nii.gz``), and
    is extended by names above it where several cases would have the same. Ids that differ in upper and lower case only
    count as the same, because files of these names would replace each other on some file systems.
    """
    candidates = [_candidates(place) for place in places]
    shortest = [next(each) for each in candidates]
    ids = list(shortest)
    open_ended = set(range(len(places)))
    while True:
        counts = Counter(_compared(one) for one in ids)
        same = [number for number in sorted(open_ended) if counts[_compared(ids[number])] > 1]
        if not same:
            break
        for number in same:
            longer = next(candidates[number], None)
            if longer is None:
                open_ended.discard(number)
                ids[number] = shortest[number]
            else:
                ids[number] = longer
    return _numbered(ids)


def safe_id(text: str) -> str:
    """Return a text as a name of files on every file system: no separators, no special names, not too long."""
    text = unicodedata.normalize("NFC", _decoded(text))
    name = "".join("_" if character in '<>:"/\\|?*' or not character.isprintable() else character for character in text)
    name = name.strip(" ").rstrip(". ")
    # A name that begins with one of these is an option, a formula of a table or a hidden file to some program.
    if name[:1] in tuple(".-=+@'~"):
        name = f"_{name.lstrip(' ')[1:]}"
    if not name or _RESERVED.fullmatch(name.partition(".")[0]):
        name = f"{name}_"
    if len(name.encode()) > _LONGEST_BYTES:
        checksum = hashlib.sha256(text.encode()).hexdigest()[:8]
        kept = name.encode()[: _LONGEST_BYTES - len(checksum) - 1].decode(errors="ignore").rstrip(". ")
        name = f"{kept}_{checksum}"
    return name


def readable(text: str) -> str:
    """Return a text for display: bytes of a path that are not UTF-8 as Latin-1, and control characters escaped."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in _decoded(text))


def _decoded(text: str) -> str:
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:  # A surrogate that stands for no byte, as on Windows.
        return text.encode("utf-8", "backslashreplace").decode()


def says_nothing(name: str) -> bool:
    """Check whether the name of a file or folder, without its suffix, does not say which case it is."""
    return _is_generic(name) or _UID.fullmatch(name) is not None


def _is_generic(name: str) -> bool:
    return normalised(name) in _GENERIC or part_called(name) is not None


def _candidates(place: Place) -> Iterator[str]:
    """Yield ids of a place, from the shortest to that of its whole path."""
    names = list(place.path.parts[1:])
    below = len(names) - len(place.root.parts[1:])
    if place.is_file:
        names[-1] = stem_of(place.path)
    if place.part:
        names.append(place.part)
        below += 1
    last_one = len(names) - 1
    naming = [number for number, name in enumerate(names) if not says_nothing(name)]
    if place.is_file and place.has_others:
        naming = [*naming, last_one] if last_one not in naming else naming
    elif place.is_file and may_be_dicom(place.path) and _NUMBERED_FILE.fullmatch(names[last_one]):
        naming = [number for number in naming if number != last_one]
    # The root's own name is used only if no name below it says which case it is.
    inside = [number for number in naming if number >= len(names) - below]
    start = inside or naming[-1:] or [last_one]
    last = len(start) - 1
    # A name such as "labels", which counts where there are others beside it, says which file of a patient it is.
    while last > 0 and (_SCAN.fullmatch(names[start[last]]) or _is_generic(names[start[last]])):
        last -= 1
    for first in range(last, -1, -1):
        yield safe_id("_".join(names[number] for number in start[first:]))
    top = min(start[0], len(names) - max(below, 1))
    yield safe_id("_".join(names[top:]))
    if place.is_file:
        yield safe_id("_".join([*names[top:-1], place.path.name]))
    above = [number for number in naming if number < start[0]]
    for first in range(len(above) - 1, -1, -1):
        yield safe_id("_".join(names[number] for number in (*above[first:], *start)))
    yield safe_id("_".join(names))


def _compared(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _numbered(ids: Sequence[str]) -> list[str]:
    """Return ids of which equal ones are numbered."""
    taken: set[str] = {_compared(one) for one in ids}
    used: set[str] = set()
    result = []
    for one in ids:
        number, free = 1, one
        while _compared(free) in used or (number > 1 and _compared(free) in taken):
            number += 1
            free = f"{one}_{number}"
        used.add(_compared(free))
        result.append(free)
    return result
