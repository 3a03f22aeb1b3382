"""What the views show: the CT, the patient's thyroid over it, and where slices and cameras are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.slicer.scene.nodes import nodes_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

_LOOK = "ThyroidSynth.LookAsLoaded"
# Distance of the camera in multiples of what it shows.
_CAMERA_DISTANCES = 2.6


def show_ct(ct: vtkMRMLScalarVolumeNode, *, fit: bool = True) -> None:
    """Show a CT in all slice views, fitted to them or without moving them."""
    import slicer

    logic = slicer.app.applicationLogic()
    selection = logic.GetSelectionNode()
    selection.SetActiveVolumeID(ct.GetID())
    logic.PropagateBackgroundVolumeSelection(fit)


def jump_slices(scene: vtkMRMLScene, centre_ras: np.ndarray) -> None:
    """Move all slice views to a point and centre them on it."""
    import slicer

    r, a, s = (float(value) for value in centre_ras)
    slicer.vtkMRMLSliceNode.JumpAllSlices(scene, r, a, s, slicer.vtkMRMLSliceNode.CenteredJumpSlice)


def look_from_front(scene: vtkMRMLScene, centre_ras: np.ndarray, size_mm: float) -> None:
    """Point the camera of every 3D view at a position, from the front of the patient.

    Only for a case that was just loaded: a changed surface never moves a camera.
    """
    centre = np.asarray(centre_ras, dtype=float)
    position = centre + np.array([0.0, _CAMERA_DISTANCES * size_mm, 0.0])
    for camera in nodes_of(scene, "vtkMRMLCameraNode"):
        camera.SetFocalPoint(centre.tolist())
        camera.SetPosition(position.tolist())
        camera.SetViewUp([0.0, 0.0, 1.0])
        camera.ResetClippingRange()


def bounds_of(segmentation: vtkMRMLSegmentationNode) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper corner of a segmentation's bounding box in `ras_mm`, each of shape (3,)."""
    bounds = np.zeros(6)
    segmentation.GetRASBounds(bounds)
    return bounds[::2], bounds[1::2]


def show_own_gland(segmentation: vtkMRMLSegmentationNode, segment_id: str, visible: bool) -> None:
    """Show the patient's own thyroid as an outline under another one, or hide it; see `show_as_loaded`.

    It is not shown in 3D views, where its surface would shine through one that lies in the same place.
    """
    display = segmentation.GetDisplayNode()
    if display is None or segmentation.GetSegmentation().GetSegment(segment_id) is None:
        return
    look = _look_of(segmentation)
    if look is not None and look["segment"] != segment_id:
        show_as_loaded(segmentation)
        look = None
    if look is None:
        look = {
            "segment": segment_id,
            "fill": bool(display.GetSegmentVisibility2DFill(segment_id)),
            "in_3d": bool(display.GetSegmentVisibility3D(segment_id)),
        }
        segmentation.SetAttribute(_LOOK, json.dumps(look))
        # Only once: afterwards the user may give it another look.
        display.SetSegmentVisibility2DFill(segment_id, False)
        display.SetSegmentVisibility3D(segment_id, False)
    if display.GetSegmentVisibility(segment_id) != visible:
        display.SetSegmentVisibility(segment_id, visible)


def set_own_gland_in_3d(segmentation: vtkMRMLSegmentationNode, shown: bool) -> None:
    """Show a patient's own thyroid that is an outline in 3D views for a while, or hide it there again."""
    look, display = _look_of(segmentation), segmentation.GetDisplayNode()
    if look is not None and display is not None and look.get("in_3d"):
        display.SetSegmentVisibility3D(look["segment"], shown)


def show_as_loaded(segmentation: vtkMRMLSegmentationNode) -> None:
    """Show a patient's own thyroid as it was before it became an outline by `show_own_gland`."""
    look, display = _look_of(segmentation), segmentation.GetDisplayNode()
    segmentation.RemoveAttribute(_LOOK)
    if look is None or display is None or segmentation.GetSegmentation().GetSegment(look["segment"]) is None:
        return
    display.SetSegmentVisibility(look["segment"], True)
    display.SetSegmentVisibility2DFill(look["segment"], look["fill"])
    display.SetSegmentVisibility3D(look["segment"], look.get("in_3d", True))
    # Noted by earlier versions, which made it translucent.
    if "opacity" in look:
        display.SetSegmentOpacity3D(look["segment"], look["opacity"])


def _look_of(segmentation) -> dict | None:
    """Return how a patient's own thyroid looked before it became an outline; None if it is none."""
    text = segmentation.GetAttribute(_LOOK)
    return json.loads(text) if text else None
