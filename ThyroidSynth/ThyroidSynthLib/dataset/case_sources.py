"""Find the cases at paths of any layout, and what there is beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, NoCaseError
from ThyroidSynthLib.common.files import absolute_path, stem_of
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.imaging.labels import structure_called
from ThyroidSynthLib.imaging.meshes.any_mesh import is_mesh_file
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation

from .cohort import COHORT_FILE
from .finding.ids import Place, unique_ids
from .finding.layouts import FoundCase, cases_in
from .finding.source import CaseSource as CaseSource
from .finding.source import labels_of_structures as labels_of_structures
from .finding.tree import EMPTY_FOLDER, SAME_FILES, SEARCHED_ALREADY, PassedOver, PassedOverLog, read_tree

SYNTHETIC_MARK = "SYNTHETIC.txt"
"""A file of this name in the folder of a dataset states that its cases are synthetic."""

_EXPECTED = (
    "Expected, at any depth: masks named thyroid_gland and trachea, label maps with label names, Slicer segmentations "
    "(.seg.nrrd), DICOM SEG or RTSTRUCT."
)
_STATEMENT = "Synthetic cases: software input, not anatomy."
_LONGEST_STATEMENT = 10_000
_REASONS_LISTED = 6
_NAMES_LISTED = 5


@dataclass(frozen=True)
class FoundCases:
    """The result of a search.

    Attributes
    ----------
    sources : tuple of Path
        The paths that were searched; two mask files for one case of them.
    cases : tuple of CaseSource
        Sorted by id; ids are unique.
    passed_over : tuple of PassedOver
        Everything else below the paths, with the reason.
    """

    sources: tuple[Path, ...]
    cases: tuple[CaseSource, ...]
    passed_over: tuple[PassedOver, ...] = ()


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
        A segmentation file, or a folder with cases at any depth and in any mixture of layouts: masks that are named as
        thyroid and trachea, label maps with names, Slicer segmentations, DICOM.
    labels : mapping of int to str, optional
        Names of the label numbers of label maps without names.
    thyroid, trachea : path-like, optional
        Two mask files, instead of `path`.

    Returns
    -------
    list of CaseSource
        Sorted by id, ids unique; at least one.

    Raises
    ------
    InputError
        There is no case, or the parameters contradict each other.
    """
    return list(search_cases(() if path is None else (path,), labels=labels, thyroid=thyroid, trachea=trachea).cases)


def find_case(
    path: Path | str | None = None,
    *,
    labels: Mapping[int, str] | None = None,
    thyroid: Path | str | None = None,
    trachea: Path | str | None = None,
) -> CaseSource:
    """Find the one case at a path.

    Parameters are those of `find_cases`. `InputError` if there is no case or several; the message names them and says
    how to choose one.
    """
    cases = find_cases(path, labels=labels, thyroid=thyroid, trachea=trachea)
    if len(cases) == 1:
        return cases[0]
    names = ", ".join(case.id for case in cases[:_NAMES_LISTED])
    more = f" and {len(cases) - _NAMES_LISTED} more" if len(cases) > _NAMES_LISTED else ""
    first, *others = map(_place_of, cases)
    how = "Give the mask files of one of them" if first in others else f"Give the path of one of them, such as {first}"
    raise InputError(f"{path} holds {len(cases)} cases: {names}{more}. {how}.")


def _place_of(case: CaseSource) -> Path:
    """Return the path by which a case can be chosen."""
    if case.labels_path is not None:
        return case.labels_path
    folder = case.files[0].parent
    return folder.parent if folder.name == "segmentations" else folder


def search_cases(
    paths: Sequence[Path | str],
    *,
    labels: Mapping[int, str] | None = None,
    thyroid: Path | str | None = None,
    trachea: Path | str | None = None,
) -> FoundCases:
    """Find the cases at several paths, and list what was passed over.

    Parameters and errors are those of `find_cases`.
    """
    if not paths:
        if thyroid is None or trachea is None:
            raise InputError("Give a folder or file with cases, or both a thyroid mask and a trachea mask.")
        pair = absolute_path(thyroid), absolute_path(trachea)
        return FoundCases(pair, (_of_two_masks(*pair, labels),))
    if thyroid is not None or trachea is not None:
        raise InputError(
            "Give either a folder or file with cases, or two masks with --thyroid and --trachea, not both."
        )
    log = PassedOverLog()
    seen: set[tuple[int, int]] = set()
    found: list[FoundCase] = []
    roots = tuple(absolute_path(path) for path in paths)
    for root in roots:
        found += _cases_at(root, labels, log, seen)
    found = _once_each(found, log)
    ids = unique_ids([case.place for case in found])
    cases = sorted((replace(case.source, id=each) for case, each in zip(found, ids, strict=True)), key=lambda s: s.id)
    result = FoundCases(roots, tuple(cases), log.entries())
    if not cases:
        raise _nothing_found(result)
    return result


def synthetic_statement(path: Path | str) -> str | None:
    """Return the statement of a synthetic dataset at or above `path`, None for real data.

    The statement is the first paragraph of its file `SYNTHETIC_MARK`.
    """
    start = Path(path).resolve()
    # The dataset may be the parent of a given case, or the third parent of a given mask file.
    for folder in (start, *start.parents)[:4]:
        mark = folder / SYNTHETIC_MARK
        try:
            if mark.is_file():
                with mark.open(encoding="utf-8", errors="replace") as stream:
                    text = stream.read(_LONGEST_STATEMENT).strip()
                return " ".join(text.split("\n\n")[0].split()) or _STATEMENT
        except OSError:  # That there is such a file is enough.
            return _STATEMENT
    return None


def _of_two_masks(thyroid: Path, trachea: Path, labels: Mapping[int, str] | None) -> CaseSource:
    for path in (thyroid, trachea):
        checked_file(path)
    (case_id,) = unique_ids([Place(thyroid.parent, thyroid, is_file=True)])
    return CaseSource(case_id, "masks", (thyroid,), (trachea,), labels=labels)


def _cases_at(
    root: Path, labels: Mapping[int, str] | None, log: PassedOverLog, seen: set[tuple[int, int]]
) -> list[FoundCase]:
    try:
        status = root.stat()
        if not root.is_dir():
            return [_of_file(root, labels)]
        if (status.st_dev, status.st_ino) in seen:
            log.add(root, ["."], SEARCHED_ALREADY)
            return []
        tree = read_tree(root, log, seen)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{root} does not exist. Check the path.") from None
    except OSError as error:
        raise InputError(f"{root} cannot be opened ({error.strerror or error}). Check its permissions.") from error
    if not tree.files and not tree.folders:
        log.add(root, ["."], EMPTY_FOLDER)
    return cases_in(tree, log, labels)


def _once_each(found: Iterable[FoundCase], log: PassedOverLog) -> list[FoundCase]:
    """Return cases without those whose files are the files of another one, such as a link or a path given twice."""
    kept: dict[object, FoundCase] = {}
    # A file is known by its own name and not by that of a link to it.
    for case in sorted(found, key=lambda one: any(path.is_symlink() for path in one.source.files)):
        files = case.source.files
        try:
            key: object = tuple((status.st_dev, status.st_ino) for status in map(Path.stat, files))
        except OSError:  # Reading the case reports it.
            key = files
        if kept.setdefault(key, case) is not case:
            log.add(case.place.root, [_below(case.place.root, path) for path in files], SAME_FILES)
    return list(kept.values())


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _of_file(path: Path, labels: Mapping[int, str] | None) -> FoundCase:
    if is_mesh_file(path):
        raise NoCaseError(f"{path} is a mesh, not a segmentation. Choose a segmentation.", ways=("meshes",))
    opened = open_segmentation(path, labels=labels)
    if not opened.named and structure_called(stem_of(path)) is not None:
        raise NoCaseError(f"{path} is the mask of one structure. Give the folder of both masks.", ways=("masks",))
    opened.check_named()
    source = CaseSource("", opened.kind, labels_path=path, labels=labels)
    return FoundCase(Place(path.parent, path, is_file=True), source)


def _nothing_found(found: FoundCases) -> InputError:
    listed = []
    for entry in found.passed_over[:_REASONS_LISTED]:
        names = ", ".join(entry.names[:_NAMES_LISTED]) + (", …" if entry.count > _NAMES_LISTED else "")
        listed.append(f"{entry.reason}: {names}")
    more = "; …" if len(found.passed_over) > _REASONS_LISTED else ""
    about = f" ({'; '.join(listed)}{more})" if listed else ""
    if any((root / COHORT_FILE).is_file() for root in found.sources):
        names = ", ".join(map(str, found.sources))
        return InputError(f"{names} is a cohort already. Train on it: thyroidsynth train FOLDER.")
    where = "Each of " if len(found.sources) > 1 else ""
    return NoCaseError(f"{where}{', '.join(map(str, found.sources))} holds no cases{about}. {_EXPECTED}")
