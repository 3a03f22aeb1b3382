"""Find the segments of thyroid and trachea in a segmentation node, and mark segments with their terminology."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA, Structure, coded_entry, structure_called, terminology_entry
from ThyroidSynthLib.imaging.segments import Segment, structures_among

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode, vtkSegment

COLOURS = {THYROID: (0.90, 0.45, 0.35), TRACHEA: (0.71, 0.89, 1.0)}
"""Colour (red, green, blue, 0 to 1) of each structure of the patient."""

# As in Slicer's anatomical colours; the patient's thyroid and the generated ones have others.
_ORGAN_COLOURS = {"artery": (0.85, 0.20, 0.25), "vein": (0.0, 0.45, 0.81), "esophagus": (0.83, 0.67, 0.56)}
_OTHER_COLOUR = (0.73, 0.62, 0.80)


def mark_as(segment: vtkSegment, structure: Structure) -> None:
    """Write a structure's terminology entry on a segment."""
    segment.SetTerminology(terminology_entry(structure))


def mark_as_named(segment: vtkSegment, name: str) -> None:
    """Write the terminology entry of an organ by the name of its class in TotalSegmentator on a segment."""
    from ThyroidSynthLib.export.writing.codes import code_of

    code = code_of(name)
    segment.SetTerminology(coded_entry(code.value, code.meaning, code.side))


def organ_colour(name: str) -> tuple[float, float, float]:
    """Return the colour (red, green, blue, 0 to 1) of an organ by its name."""
    structure = structure_called(name)
    if structure in COLOURS:
        return COLOURS[structure]
    return next((colour for word, colour in _ORGAN_COLOURS.items() if word in name), _OTHER_COLOUR)


def find_segment(segmentation: vtkMRMLSegmentationNode, structure: Structure) -> str:
    """Find a structure's segment by terminology code, else by ID, else by its whole name.

    When several may be the structure (a second observer), the first is taken; the user sees the choice and can change
    it. Of a thyroid that is only segmented in lobes it is the first lobe; see `thyroid_lobes`.

    Returns
    -------
    str
        ID of the segment; empty when there is none.
    """
    return next(iter(_found(segmentation, structure)), "")


def thyroid_lobes(segmentation: vtkMRMLSegmentationNode) -> list[str]:
    """Return the IDs of the lobes (and the isthmus) of a thyroid without a segment of the whole; empty otherwise."""
    found = _found(segmentation, THYROID)
    return found if len(found) > 1 else []


def _found(segmentation: vtkMRMLSegmentationNode, structure: Structure) -> list[str]:
    """Return the ID of a structure's segment, or those of its lobes."""
    content = segmentation.GetSegmentation()
    segments = [
        Segment(each, segment.GetName(), number, terminology=segment.GetTerminology())
        for number, each in enumerate(content.GetSegmentIDs())
        if (segment := content.GetSegment(each)) is not None
    ]
    try:
        chosen, _ = structures_among(segmentation.GetName(), segments)
    except InputError:
        return [s.id for s in segments if s.part is not None and s.part.structure is structure][:1]
    return [segment.id for segment in chosen.get(structure, ())]
