"""The segments of a segmentation file of any format, and the choice of those of thyroid and trachea among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.common.wording import counted

from .labels import (
    LOBE_PARTS,
    STRUCTURES,
    WHOLE,
    Part,
    Structure,
    is_altered,
    is_lesion,
    normalised,
    part_called,
    part_coded,
    part_in_region,
    side_named,
    structure_called,
)

Item = TypeVar("Item")

# How surely a segment is a structure: by the code of its type, its id, its name, the code of its region.
_BY_CODE, _BY_ID, _BY_NAME, _BY_REGION = range(4)


@dataclass(frozen=True)
class Segment:
    """A segment of a segmentation file.

    Attributes
    ----------
    id, name : str
        As in the file; formats without ids repeat the name.
    label : int
        Its voxel value in a label map, its number in DICOM.
    layer : int
        Which of the file's images it is in; overlapping segments of a .seg.nrrd are in different ones.
    terminology : str
        Its entry in the format of Slicer's segment tags; may be empty.
    colour : tuple of float, optional
        Red, green and blue, each 0 to 1; None if the file has none.
    given : bool
        Whether the user gave the name; several labels with one given name are one structure.
    """

    id: str
    name: str
    label: int
    layer: int = 0
    terminology: str = ""
    colour: tuple[float, float, float] | None = None
    given: bool = False

    @property
    def part(self) -> Part | None:
        """The structure, or the lobe of the thyroid, that the segment is; None if its code and its name disagree."""
        return self._identified[0]

    @property
    def contradiction(self) -> tuple[Structure, ...]:
        """The structures of its code and of its name if they differ, as after renaming a copy; else empty."""
        coded, called = part_coded(self.terminology), part_called(self.name)
        if self.is_something_else or coded is None or called is None or coded.structure is called.structure:
            return ()
        return coded.structure, called.structure

    @property
    def is_something_else(self) -> bool:
        """Whether its code or name states that it is a lesion or a planning structure."""
        return is_altered(self.terminology) or is_lesion(self.name)

    @property
    def _identified(self) -> tuple[Part | None, int]:
        """Return what the segment is, and by which of its properties."""
        if self.is_something_else or self.contradiction:
            return None, _BY_REGION
        called, by_id = part_called(self.name), part_called(self.id)
        # Renaming a segment keeps its id, which the user does not see.
        renamed = called is not None and by_id is not None and called.structure is not by_id.structure
        for how, part in (
            (_BY_CODE, part_coded(self.terminology)),
            (_BY_ID, None if renamed else by_id),
            (_BY_NAME, called),
            (_BY_REGION, part_in_region(self.terminology)),
        ):
            if part is not None:
                side = part.side or (side_named(self.name) if how in (_BY_CODE, _BY_REGION) else WHOLE)
                return (part if part.structure is not STRUCTURES[0] else replace(part, side=side)), how
        return None, _BY_REGION

    @property
    def has_plain_name(self) -> bool:
        """Whether the id or name is that of a whole structure."""
        return any(part is not None and not part.side for part in (part_called(self.id), part_called(self.name)))


def structures_among(
    path: object, segments: Sequence[Segment], searched: Sequence[Structure] = STRUCTURES
) -> tuple[dict[Structure, tuple[Segment, ...]], tuple[str, ...]]:
    """Find the thyroid and the trachea, or what is `searched`, among segments by code, else by id, else by name.

    Returns
    -------
    chosen : dict
        For each of the structures that is there its segment, or the segments of its lobes; may be empty.
    notes : tuple of str
        Remarks for the user about the choice.

    Raises
    ------
    InputError
        Several segments may be the same structure, or none but one whose code and name disagree.
    """
    chosen: dict[Structure, tuple[Segment, ...]] = {}
    notes: list[str] = []
    for structure in searched:
        found = [s for s in segments if s.part is not None and s.part.structure is structure]
        wholes = [s for s in found if not _side(s)]
        best = [s for s in wholes if s._identified[1] == min(each._identified[1] for each in wholes)]
        # Several observers may have used the same code; then the id or name decides.
        best = ([s for s in best if s.has_plain_name] or best) if len(best) > 1 else best
        if len({s.name for s in best}) == 1 and all(s.given for s in best):
            chosen[structure] = tuple(best)
            continue
        passed_over = [s for s in wholes if s not in best]
        lobes = [s for s in found if _side(s)]
        picked, remarks = whole_or_lobes(
            str(path), structure, best, lobes, side_of=_side, name_of=lambda s: f"{s.name} (label {s.label})"
        )
        if not picked:
            notes += _marked([s for s in segments if structure_called(s.name) is structure])
            continue
        chosen[structure] = tuple(picked)
        notes += remarks
        if passed_over:
            listed = ", ".join(s.name for s in passed_over)
            notes.append(f"{picked[0].name} was taken as the {_called(structure)}; {listed} may be one, too")
    for segment in segments:
        if any(structure in searched and structure not in chosen for structure in segment.contradiction):
            raise InputError(
                f"{path}: the segment {segment.name} (label {segment.label}) has the terminology code of the "
                f"{_called(segment.contradiction[0])}. Correct its name or its terminology, or state the labels "
                "(--labels thyroid=N,trachea=M)."
            )
    return chosen, tuple(notes)


def whole_or_lobes(
    where: str,
    structure: Structure,
    wholes: Sequence[Item],
    lobes: Sequence[Item],
    *,
    side_of: Callable[[Item], str],
    name_of: Callable[[Item], str],
) -> tuple[list[Item], list[str]]:
    """Choose between a whole structure and its lobes, each a segment or a file; return the choice and remarks.

    Raises
    ------
    InputError
        There are two whole structures, or two lobes of the same side and no whole one.
    """
    called = _called(structure)
    if len(wholes) > 1:
        raise InputError(
            f"{where} has several segmentations that may be the {called}: {_listed(wholes, name_of)}. "
            "Keep one of them, or rename the others."
        )
    if wholes:
        ignored = f"{_listed(lobes, name_of)} ignored, because the whole {called} is segmented too"
        return list(wholes), [ignored] if lobes else []
    for side in LOBE_PARTS:
        same = [lobe for lobe in lobes if side_of(lobe) == side]
        if len(same) > 1:
            part = "isthmus" if side == "isthmus" else f"{side} lobe"
            raise InputError(
                f"{where} has several segmentations that may be the {part} of the {called}: "
                f"{_listed(same, name_of)}. Keep one of them, or rename the others."
            )
    if not lobes:
        return [], []
    ordered = [lobe for side in LOBE_PARTS for lobe in lobes if side_of(lobe) == side]
    sides = [side_of(lobe) for lobe in ordered]
    if len(ordered) == 1:
        part = "isthmus" if sides[0] == "isthmus" else f"{sides[0]} lobe"
        return ordered, [f"only the {part} of the thyroid is segmented ({name_of(ordered[0])})"]
    return ordered, [f"the thyroid was joined from its parts: {_listed(ordered, name_of)}"]


def named_by_user(
    path: object,
    segments: Sequence[Segment],
    labels: Mapping[int, str],
    *,
    other_organs: frozenset[str] = frozenset(),
    strict: bool = True,
) -> list[Segment]:
    """Return segments with the names that the user gives their labels; labels without a segment get one.

    A segment keeps its name if its label's given name is not that of the thyroid or the trachea.

    Parameters
    ----------
    labels : mapping of int to str
        Names of label numbers.
    other_organs : frozenset of str
        Normalised names of structures that are certainly neither thyroid nor trachea.
    strict : bool
        What happens if the file itself names another segment as the structure, or the segment as another organ: an
        `InputError`, or the given name is not used, because labels that are given for several files are not those of
        a format that numbers its own segments.

    Raises
    ------
    InputError
        As above.
    """
    renamed = list(segments)
    for label, name in sorted(labels.items()):
        part = part_called(name)
        at = [n for n, segment in enumerate(segments) if segment.label == label]
        if part is None:
            renamed += [] if at or segments else [Segment(name, name, label, given=True)]
            continue
        own = [s for s in segments if s.part is not None and s.part.structure is part.structure]
        elsewhere = next((s for s in own if s.label != label), None)
        if elsewhere is not None and not part.side:
            if not strict:
                continue
            raise InputError(
                f"The label names in {path} contradict the given labels: the {_called(part.structure)} is label "
                f"{elsewhere.label} ({elsewhere.name}), not {label}. Leave the labels or the class map out, or correct "
                "them."
            )
        for n in at:
            there = segments[n]
            if there.part is None and normalised(there.name) in other_organs:
                if not strict:
                    continue
                raise InputError(
                    f"The label names in {path} contradict the given labels: label {label} is {there.name}, not the "
                    f"{_called(part.structure)}. Leave the labels or the class map out, or correct them."
                )
            if there.part is None:
                renamed[n] = replace(there, id=name, name=name, terminology="", given=True)
        if not at and strict:
            renamed.append(Segment(name, name, label, given=True))
    return renamed


def nothing_found(path: object, segments: Iterable[Segment], only: Structure | None = None) -> InputError:
    """Return the error for a file with neither a thyroid nor a trachea, or without the one that it was chosen for."""
    segments = list(segments)
    names = [segment.name or segment.id or str(segment.label) for segment in segments]
    about = "; ".join([f"{counted(len(names), 'segment')} ({listed_shortly(names)})", *_marked(segments)])
    if only is not None:
        return InputError(f"{path} has no {_called(only)} among its {about}. Choose another file, or name the segment.")
    return InputError(
        f"{path} has neither a thyroid nor a trachea among its {about}. Name them 'thyroid' and 'trachea', or state "
        "their labels (--labels thyroid=N,trachea=M)."
    )


def _marked(segments: Iterable[Segment]) -> list[str]:
    """Return a remark on each segment with the name of an organ whose code or type says that it is none."""
    return [
        f"{s.name} (label {s.label}) has the code or type of a lesion or a planning structure"
        for s in segments
        if is_altered(s.terminology) and structure_called(s.name)
    ]


def _side(segment: Segment) -> str:
    return segment.part.side if segment.part is not None else WHOLE


def _called(structure: Structure) -> str:
    return structure.name.replace("_gland", "")


def _listed(items: Sequence[Item], name_of: Callable[[Item], str]) -> str:
    return " and ".join(
        [", ".join(map(name_of, items[:-1])), name_of(items[-1])]
        if len(items) > 1
        else [name_of(item) for item in items]
    )
