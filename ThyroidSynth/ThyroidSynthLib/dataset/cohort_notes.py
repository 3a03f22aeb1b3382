"""Notes on cases of a cohort that show only beside the others: bounding boxes and equal thyroids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.geometry.frame import beyond_usual
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.imaging.ply import read_ply

from .case_preparation import CaseRecord

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
    """Return the cases whose bounding box is unusual, each with a note."""
    accepted = [(record.id, record.shape.box_mm) for record in records if record.accepted and record.shape is not None]
    if not accepted:
        return []
    boxes = np.array([box for _, box in accepted])
    found = []
    for (case_id, _), beyond in zip(accepted, beyond_usual(boxes[:, 0], boxes[:, 1]), strict=True):
        sides = [f"{beyond[end, axis]:.0f} mm further {_SIDES[axis][end]}" for end, axis in np.argwhere(beyond > 0)]
        if sides:
            note = f"its bounding box is unusual: it reaches {', '.join(sides)} than the other cases"
            found.append((case_id, f"{note}; check its masks, or exclude it"))
    return found


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
