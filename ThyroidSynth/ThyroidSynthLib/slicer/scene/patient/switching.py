"""Change from one patient of a scene to another: the segmentation and thyroids of the others are hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, look_from_front, show_as_loaded
from ThyroidSynthLib.slicer.scene.display.views import is_far_from_cameras, stand_on
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


def look_at_patient(patient: vtkMRMLSegmentationNode, segment_id: str) -> None:
    """Move the views to a patient who was chosen if they look elsewhere; see `views.stand_on`."""
    stand_on(patient, segment_id)
    lower, upper = bounds_of(patient)
    if (lower <= upper).all() and is_far_from_cameras(patient.GetScene(), (lower + upper) / 2):
        look_from_front(patient.GetScene(), (lower + upper) / 2, float(np.clip((upper - lower).max(), 40.0, 110.0)))
