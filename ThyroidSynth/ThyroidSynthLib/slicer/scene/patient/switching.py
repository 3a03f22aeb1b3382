"""Change from one patient of a scene to another: the segmentation and thyroids of the others are hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ThyroidSynthLib.slicer.scene.display.overlay import show_as_loaded
from ThyroidSynthLib.slicer.scene.hiding import end_hiding, hide_for_now
from ThyroidSynthLib.slicer.scene.nodes import nodes_of
from ThyroidSynthLib.slicer.scene.thyroids.records import SOURCE_ROLE
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import is_generated

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

# Marks the segmentations that have been chosen as patients; others in the scene are left alone.
_PATIENT = "ThyroidSynth.IsPatient"
_REASON = "another patient"


def show_patient(patient: vtkMRMLSegmentationNode) -> None:
    """Hide the segmentations and thyroids of other patients for now, and show again what was hidden of this one.

    Thyroids without a known patient stay as they are.
    """
    patient.SetAttribute(_PATIENT, "1")
    for node in nodes_of(patient.GetScene(), "vtkMRMLSegmentationNode"):
        if is_generated(node):
            owner = node.GetNodeReference(SOURCE_ROLE)
        else:
            owner = node if node.GetAttribute(_PATIENT) is not None else None
        if owner is patient:
            end_hiding(node, _REASON)
        elif owner is not None:
            if owner is node:
                show_as_loaded(node)
            hide_for_now(node, _REASON)
