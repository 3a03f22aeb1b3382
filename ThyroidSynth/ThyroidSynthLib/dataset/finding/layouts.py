"""Which files and folders of a tree are cases, in any mixture of layouts.

A case is a folder with masks named as thyroid and trachea, or one segmentation file that holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json, stem_of
from ThyroidSynthLib.imaging.dicom_series import IMAGE_CLASSES, class_of_dicom, may_be_dicom
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA, Structure, normalised
from ThyroidSynthLib.imaging.masks import same_grid
from ThyroidSynthLib.imaging.seg_nrrd import is_segmentation_file
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation, segmentation_kind
from ThyroidSynthLib.imaging.volume_files import read_grid, read_slabs

from .ids import Place, says_nothing
from .mask_names import (
    has_both,
    is_image_file,
    is_other_organ,
    masks_among,
    masks_by_case,
    masks_by_folder,
    part_in_name,
    part_of_mask,
    split_name,
)
from .source import CaseSource
from .tree import SYSTEM_FILES, Folder, PassedOverLog

OTHER_STRUCTURES = "other masks and images beside the masks of a case"
IMAGES = "images (CT, MR), not segmentations"
OTHER_FILES = "not segmentations by their names"
UNREAD_FORMATS = "formats that are not read (convert label maps to .nii.gz)"
ARCHIVES = "archives (unpack them)"
OWN_RESULTS = "results of ThyroidSynth"
NO_NAMES = "no thyroid or trachea by name, and no label names"
NEITHER = "neither a thyroid nor a trachea among the named segments"
MASKS_USED = "another segmentation of a case whose masks are used"
SAME_NAME = "the same structure or segmentation as in another file here"

_OTHER_DICOM = "DICOM, but no segmentation"

EXPECTED_REASONS = (OTHER_STRUCTURES, IMAGES, OTHER_FILES, SYSTEM_FILES)
"""Reasons for files that every dataset has, which are no mistake."""

_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
_UNREAD_SUFFIXES = (".hdr", ".img", ".mgz", ".mgh", ".mnc", ".gipl", ".vti", ".vtk", ".vtp", ".stl", ".obj", ".ply")
_IMAGE_NAMES = frozenset(("ct", "ct image", "image", "img", "mr", "mri", "pet", "scan"))
_IMAGE_FOLDERS = frozenset(("image", "images", "ct", "cts"))
_NNUNET_IMAGES = frozenset(("images tr", "images ts", "images val"))
_CT_NAMES = ("ct.nii.gz", "ct.nii", "CT.nii.gz", "CT.nii", "ct.nrrd")
# A CT begins with air, which is negative. A label map may begin with many slabs of background.
_SLABS_LOOKED_AT = 8


@dataclass(frozen=True)
class FoundCase:
    """A case whose id is still empty, and the place that its id is made of."""

    place: Place
    source: CaseSource


def cases_in(tree: Folder, log: PassedOverLog, labels: Mapping[int, str] | None = None) -> list[FoundCase]:
    """Find the cases in a folder and in all folders below it.

    Parameters
    ----------
    log : PassedOverLog
        Receives all files that belong to no case, with the reason.
    labels : mapping of int to str, optional
        Names of label numbers, for label maps without names.
    """
    found: list[FoundCase] = []
    used: set[Path] = set()
    for folder in tree.below():
        own = _own_results(folder, is_source=folder is tree)
        log.add(tree.path, [folder.name_in_root(name) for name in sorted(own)], OWN_RESULTS)
        folder.folders = [each for each in folder.folders if not own & {"", each.path.name}]
        used.update(folder.path / name for name in own)
        if "" not in own:
            found += _FolderSearch(folder, log, labels, used).cases()
    return found


class _FolderSearch:
    """The search of one folder. `used` has the files of cases found so far, and is extended."""

    def __init__(self, folder: Folder, log: PassedOverLog, labels: Mapping[int, str] | None, used: set[Path]) -> None:
        self._folder, self._log, self._labels, self._used = folder, log, labels, used
        self._masks: list[Path] = []  # Of the cases in this folder, or in the folder of its masks.
        self._of_masks: list[tuple[str, Mapping[int, str] | None]] = []  # Segmentations of the scan of these masks.

    def cases(self) -> list[FoundCase]:
        folder = self._folder
        names = [name for name in folder.files if folder.path / name not in self._used]
        # The mask of a case that is a pipe or a broken link is reported by reading the case.
        expected = [name for name in folder.unusable if is_image_file(name) and part_in_name(name)]
        found = self._cases_of_masks([*names, *expected])
        for name, reason in folder.unusable.items():
            if folder.path / name not in self._used:
                self._log.add(folder.root, [folder.name_in_root(name)], reason)
        self._masks = [path for case in found for path in case.source.files] or self._masks_below()
        alone = [case for name in names if folder.path / name not in self._used for case in self._case_of_file(name)]
        found = [self._completed(case) for case in found]
        self._pass_over([name for name, _ in self._of_masks], MASKS_USED)
        return [*found, *self._once_each(alone)]

    def _cases_of_masks(self, names: Sequence[str]) -> list[FoundCase]:
        folder = self._folder
        groups: dict[str, list[Path]] = {}
        images = [name for name in names if is_image_file(name)]
        # Each structure may also be a Slicer segmentation or a DICOM file of its own.
        every = [name for name in names if is_image_file(name) or self._is_named_segmentation(name)]
        chosen, repeated = masks_among(images)
        if not has_both(map(Path, chosen)) and has_both(map(Path, masks_among(every)[0])):
            chosen, repeated = masks_among(every)
        # With labels given, the only file may hold both structures whatever its name.
        if chosen and not (self._labels and len(images) == 1):
            groups[""] = [folder.path / name for name in chosen]
            self._used.update(folder.path / name for name in repeated)
            self._pass_over(repeated, SAME_NAME)
        by_case = {part: [folder.path / name for name in names] for part, names in masks_by_case(every).items()}
        by_folder = masks_by_folder((each.path, each.files) for each in folder.folders)
        for part, paths in (*by_case.items(), *by_folder.items()):
            if "" in groups and _same_scan(paths[0], groups[""][0]):
                # Other masks of the same patient, such as an earlier version.
                self._used.update(paths)
                self._pass_over([path.relative_to(folder.path).as_posix() for path in paths], MASKS_USED)
            else:
                groups.setdefault(part, paths)
        found = []
        for part, paths in groups.items():
            self._used.update(paths)
            by_structure: dict[bool, list[Path]] = {True: [], False: []}
            for path in paths:
                known = part_of_mask(path)
                by_structure[known is not None and known.structure is THYROID].append(path)
            thyroid, trachea = tuple(by_structure[True]), tuple(by_structure[False])
            source = CaseSource("", "masks", thyroid, trachea, ct_path=None if part else self._ct())
            found.append(FoundCase(Place(folder.root, folder.path, part=part), source))
        return found

    def _is_named_segmentation(self, name: str) -> bool:
        """Check whether a file that is no image is a segmentation with the name of a structure."""
        if part_in_name(name) is None and split_name(name)[1] is None:
            return False
        path = self._folder.path / name
        return is_segmentation_file(path) or (may_be_dicom(name) and segmentation_kind(path) is not None)

    def _masks_below(self) -> list[Path]:
        """Return the masks in a folder such as ``segmentations``, which is that of the same case."""
        for folder in self._folder.folders:
            if says_nothing(folder.path.name):
                chosen, _ = masks_among(name for name in folder.files if is_image_file(name))
                if chosen:
                    return [folder.path / name for name in chosen]
        return []

    def _completed(self, case: FoundCase) -> FoundCase:
        """Return a case of masks with the structure that it lacks from another segmentation of the same scan."""
        source = case.source
        for entry in self._of_masks:
            name, given = entry
            path = self._folder.path / name
            structures = _structures_in(path, given) or ()
            if not source.trachea_paths and TRACHEA in structures:
                source = replace(source, trachea_paths=(path,), labels=given)
            elif not source.thyroid_paths and THYROID in structures:
                source = replace(source, thyroid_paths=(path,), labels=given)
            else:
                continue
            self._of_masks.remove(entry)
            return FoundCase(case.place, source)
        return case

    def _case_of_file(self, name: str) -> list[FoundCase]:
        """Return the case of a segmentation file; none for a file that is passed over."""
        path = self._folder.path / name
        reason, given = self._reason_by_name(name), None
        if not reason:
            reason, given = self._reason_by_content(path)
        if not reason and self._masks and self._is_of_masks(path):
            reason = MASKS_USED
            self._of_masks.append((name, given))
        if reason:
            if reason != MASKS_USED:
                self._pass_over([name], reason)
            return []
        kind = segmentation_kind(path)
        assert kind is not None
        source = CaseSource("", kind, labels_path=path, labels=given)
        return [FoundCase(Place(self._folder.root, path, is_file=True), source)]

    def _reason_by_name(self, name: str) -> str:
        """Return why a file cannot be a segmentation, as far as its name and first bytes show; "" if it may be one."""
        path = self._folder.path / name
        if is_image_file(name):
            if _is_image_name(name) or normalised(path.parent.name) in _NNUNET_IMAGES:
                return IMAGES
            return (OTHER_STRUCTURES if self._masks else NO_NAMES) if is_other_organ(name) else ""
        if is_segmentation_file(name):
            return ""
        if may_be_dicom(name) and (found := class_of_dicom(path)) is not None:
            return "" if segmentation_kind(path) is not None else _dicom_reason(found)
        if name.lower().endswith(_UNREAD_SUFFIXES):
            return UNREAD_FORMATS
        return ARCHIVES if name.lower().endswith(_ARCHIVE_SUFFIXES) else OTHER_FILES

    def _reason_by_content(self, path: Path) -> tuple[str, Mapping[int, str] | None]:
        """Return why a segmentation file is no case, "" if it is one, and the given labels if it needs them.

        A file that cannot be opened is kept, so that reading the case reports the fault.
        """
        own = _structures_in(path, None)
        if own is None or own:
            return "", None
        named = open_segmentation(path).named
        if not named and normalised(path.parent.name) in _IMAGE_FOLDERS:
            return IMAGES, None
        if self._labels and _structures_in(path, self._labels) != ():
            is_image = not named and is_image_file(path.name) and _has_values_of_an_image(path)
            return (IMAGES, None) if is_image else ("", self._labels)
        if not named:
            return (OTHER_STRUCTURES if self._masks else NO_NAMES), None
        return NEITHER, None

    def _is_of_masks(self, path: Path) -> bool:
        """Check whether a segmentation is of the same scan as the masks beside it."""
        if says_nothing(stem_of(path)):
            return True
        return is_image_file(path.name) and _same_scan(path, self._masks[0])

    def _once_each(self, found: Iterable[FoundCase]) -> list[FoundCase]:
        """Return cases without those of files that have the name of another one, but another format."""
        by_stem: dict[str, FoundCase] = {}
        # Files that cannot be opened come last.
        for case in sorted(found, key=lambda one: _structures_in(one.place.path, one.source.labels) is None):
            path = case.place.path
            if by_stem.setdefault(stem_of(path).casefold(), case) is not case:
                self._pass_over([path.name], SAME_NAME)
        kept = list(by_stem.values())
        if len(kept) == 1:
            return [FoundCase(kept[0].place, replace(kept[0].source, ct_path=self._ct()))]
        return [FoundCase(replace(case.place, has_others=True), case.source) for case in kept]

    def _ct(self) -> Path | None:
        """Return the CT beside the segmentation, or beside the folder of its masks."""
        here = self._folder.path
        folders = (here, here.parent) if says_nothing(here.name) else (here,)
        return next((folder / name for folder in folders for name in _CT_NAMES if (folder / name).is_file()), None)

    def _pass_over(self, names: Iterable[str], reason: str) -> None:
        # What every dataset has is counted as a whole, what may be a mistake by folder.
        if reason in EXPECTED_REASONS or reason.startswith(_OTHER_DICOM):
            self._log.add(self._folder.root, map(self._folder.name_in_root, names), reason)
        else:
            self._log.add(self._folder.path, names, reason)


@lru_cache(maxsize=10_000)
def _is_image_name(name: str) -> bool:
    return normalised(stem_of(Path(name))) in _IMAGE_NAMES


def _same_scan(path: Path, other: Path) -> bool:
    """Check whether two image files have the same grid."""
    try:
        return same_grid(read_grid(path), read_grid(other))
    except Exception:  # A damaged file can raise anything; reading the case reports it.
        return False


def _structures_in(path: Path, labels: Mapping[int, str] | None) -> tuple[Structure, ...] | None:
    """Return which of thyroid and trachea a segmentation file names; None for a file that cannot be opened."""
    try:
        return tuple(open_segmentation(path, labels=labels).structures()[0])
    except Exception:  # A damaged file can raise anything; reading the case reports it.
        return None


def _dicom_reason(sop_class: str) -> str:
    import pydicom

    if sop_class in IMAGE_CLASSES:
        return IMAGES
    name = pydicom.uid.UID(sop_class).name if sop_class else ""
    return f"{_OTHER_DICOM} ({name.removesuffix(' Storage') or 'unknown kind'})"


def _has_values_of_an_image(path: Path) -> bool:
    """Check whether an image file has negative or fractional values, which labels have not, near its beginning."""
    try:
        for number, (_, _, slab) in enumerate(read_slabs(path)):
            if (slab < 0).any() or (slab != slab.round()).any():
                return True
            if slab.any() or number == _SLABS_LOOKED_AT:
                return False
    except ThyroidSynthError:  # Reading the case reports it.
        return False
    return False


def _own_results(folder: Folder, *, is_source: bool) -> set[str]:
    """Return the files and folders in a folder that ThyroidSynth wrote; an empty name stands for the whole folder.

    A source that holds nothing else is read: it was named on purpose.
    """
    names = set(folder.files)
    below = {each.path.name for each in folder.folders}
    if "prepare.json" in names or {"cohort.json", "samples.npy"} <= names:
        return set() if is_source else {""}
    own: set[str] = set()
    if {"manifest.json", "manifest.csv"} <= names and (parts := below & {"label_maps", "meshes", "merged", "nnunet"}):
        own |= {"manifest.json", "manifest.csv", "merged_labels.csv"} & names | parts
    for kind in ("fit", "edit", "phantom"):
        if f"{kind}.json" in names:
            own |= _listed(folder.path / f"{kind}.json", kind)
    return set() if is_source and names | below <= own | {name.split("/")[0] for name in own} else own


def _listed(path: Path, kind: str) -> set[str]:
    """Return a document of this kind and the files that it lists, relative to its folder."""
    try:
        document = read_json(path)
    except InputError:
        return set()
    if not isinstance(document, dict) or document.get("kind") != kind:
        return set()
    listed = document.get("files")
    files = listed if isinstance(listed, list) else ()
    return {path.name, *(str(each.get("path")) if isinstance(each, dict) else str(each) for each in files)}
