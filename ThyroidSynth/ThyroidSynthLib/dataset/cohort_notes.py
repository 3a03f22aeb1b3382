"""Notes on cases of a cohort that show only beside the others: bounding boxes and equal thyroids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.imaging.ply import read_ply

from .case_preparation import CaseRecord

# The box of a cohort is set by one case if it reaches further than the next by more than both, in mm and as a share of
# the box of the others.
_BEYOND_MM = 10.0
_BEYOND_SHARE = 0.2
# Fewer cases have no usual box.
_MIN_CASES = 4
_SIDES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
# Thyroids are compared if volume and extents differ by less, and are the same if their surfaces, each at its own
# centre, are this close on average. Two segmentations of one gland differ by more, and so do two patients.
_VOLUME_SHARE = 0.02
_EXTENT_MM = 1.5
_SAME_MM = 0.35
# Of each thyroid so many of the most similar others are compared, at so many points.
_NEIGHBOURS = 3
_POINTS = 200


def with_cohort_notes(records: Sequence[CaseRecord], folder: Path) -> tuple[list[CaseRecord], tuple[str, ...]]:
    """Return the records of a cohort folder with notes on cases that stand out among the others, and these notes.

    The notes begin with the id of the case. They refuse no case.
    """
    notes = defaultdict(list)
    for found in (_box_notes(records), _same_notes(records, folder)):
        for case_id, note in found:
            notes[case_id].append(note)
    noted = [
        replace(record, verdict=replace(record.verdict, notes=(*record.verdict.notes, *notes[record.id])))
        if record.id in notes
        else record
        for record in records
    ]
    return noted, tuple(f"{record.id}: {note}" for record in records for note in notes.get(record.id, ()))


def _box_notes(records: Sequence[CaseRecord]) -> list[tuple[str, str]]:
    """Return the cases that alone make the cohort's bounding box much larger, each with a note."""
    accepted = [(record.id, record.shape.box_mm) for record in records if record.accepted and record.shape is not None]
    if len(accepted) < _MIN_CASES:
        return []
    reach = np.array([box for _, box in accepted]) * np.array([[-1.0], [1.0]])
    beyond = defaultdict(list)
    for axis in range(3):
        for end in range(2):
            order = np.argsort(reach[:, end, axis])
            farthest, next_one = order[-1], order[-2]
            extra = reach[farthest, end, axis] - reach[next_one, end, axis]
            others = np.delete(reach[:, :, axis], farthest, axis=0).max(axis=0).sum()
            if extra > max(_BEYOND_MM, _BEYOND_SHARE * others):
                beyond[int(farthest)].append(f"{extra:.0f} mm further {_SIDES[axis][end]}")
    return [
        (
            accepted[number][0],
            f"it alone sets the cohort's bounding box: it reaches {', '.join(sides)} than any other case; check its "
            "masks, or exclude it",
        )
        for number, sides in sorted(beyond.items())
    ]


def _same_notes(records: Sequence[CaseRecord], folder: Path) -> list[tuple[str, str]]:
    """Return the cases whose thyroid is that of another case, also when moved, each with a note."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    measured = [(record.id, record.shape) for record in records if record.shape is not None]
    if len(measured) < 2:
        return []
    extents = np.array([np.subtract(shape.box_mm[1], shape.box_mm[0]) for _, shape in measured])
    volumes = np.array([shape.features["volume_ml"] for _, shape in measured])
    space = np.column_stack([np.log(np.maximum(volumes, 1e-6)) / _VOLUME_SHARE, extents / _EXTENT_MM])
    # Beyond a distance of 1 in any direction two thyroids differ.
    distance, neighbour = cKDTree(space).query(space, k=min(len(space), _NEIGHBOURS + 1), p=np.inf)
    rows, columns = np.nonzero(distance <= 1)
    pairs = {(min(a, b), max(a, b)) for a, b in zip(rows.tolist(), neighbour[rows, columns].tolist(), strict=True)}
    same = []
    for pair in sorted(pair for pair in pairs if pair[0] != pair[1]):
        surfaces = [read_ply(folder / measured[number][1].surface) for number in pair]
        one, other = (surface.moved(surface.vertices - surface.vertices.mean(axis=0)) for surface in surfaces)
        points = one.vertices[:: max(1, len(one.vertices) // _POINTS)]
        if np.abs(signed_distance(other, points)).mean() <= _SAME_MM:
            same.append(pair)
    # Of many equal thyroids only the nearest were compared; they are all the same.
    graph = coo_array((np.ones(len(same)), np.array(same, dtype=int).reshape(-1, 2).T), shape=(len(measured),) * 2)
    members = defaultdict(list)
    for number, group in enumerate(connected_components(graph, directed=False)[1]):
        members[group].append(measured[number][0])
    return [
        (
            one,
            f"its thyroid is the same as in {listed_shortly([each for each in group if each != one])}; if it is one "
            "patient, exclude one",
        )
        for group in members.values()
        if len(group) > 1
        for one in group
    ]
