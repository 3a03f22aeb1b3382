"""Find the segments of thyroid and trachea in a segmentation node, and mark segments with their terminology."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ThyroidSynthLib.imaging.labels import (
    THYROID,
    TRACHEA,
    Structure,
    structure_called,
    structure_coded,
    terminology_entry,
)

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode, vtkSegment

COLOURS = {THYROID: (0.90, 0.45, 0.35), TRACHEA: (0.71, 0.89, 1.0)}
"""Colour (red, green, blue, 0 to 1) of each structure of the patient."""


def mark_as(segment: vtkSegment, structure: Structure) -> None:
    """Write a structure's terminology entry on a segment."""
    segment.SetTerminology(terminology_entry(structure))


def find_segment(segmentation: vtkMRMLSegmentationNode, structure: Structure) -> str:
    """Find a structure's segment by terminology code, else by ID, else by its whole name.

    When several have the code (lobes, a second observer), one whose ID or name is the structure's is
    preferred, then the first. The user sees the choice and can change it.

    Returns
    -------
    str
        ID of the segment; empty when there is none.
    """
    content = segmentation.GetSegmentation()
    ids = list(content.GetSegmentIDs())
    coded = [i for i in ids if structure_coded(content.GetSegment(i).GetTerminology()) is structure]
    with_id = [i for i in ids if structure_called(i) is structure]
    named = [i for i in ids if structure_called(content.GetSegment(i).GetName()) is structure]
    found = coded or with_id or named
    plain = [i for i in found if i in with_id] or [i for i in found if i in named] or found
    return plain[0] if plain else ""
