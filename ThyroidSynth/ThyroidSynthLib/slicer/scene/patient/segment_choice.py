"""The segments of thyroid and trachea of a patient: found, unless the user has chosen another one, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ThyroidSynthLib.slicer.scene.terminology import find_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from ThyroidSynthLib.imaging.labels import Structure

_ATTRIBUTE = "ThyroidSynth.Chosen."


def note_choice(segmentation: vtkMRMLSegmentationNode, structure: Structure, segment_id: str) -> None:
    """Note that the user chose a segment for a structure; an empty ID stands for none."""
    segmentation.SetAttribute(_ATTRIBUTE + structure.name, segment_id or "-")


def chosen_segment(segmentation: vtkMRMLSegmentationNode, structure: Structure) -> str:
    """Return the segment that the user chose for a structure, else the one that is found; empty if there is none."""
    chosen = segmentation.GetAttribute(_ATTRIBUTE + structure.name)
    if chosen == "-":
        return ""
    if chosen is not None and segmentation.GetSegmentation().GetSegment(chosen) is not None:
        return chosen
    return find_segment(segmentation, structure)
