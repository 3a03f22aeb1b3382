"""A training case and its reconstruction in 3D beside everything else in the scene; neither listed nor saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.slicer.scene.nodes import add_hidden_node, node_with, nodes_of, remove_node

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLScene

    from ThyroidSynthLib.jobs.preview import Preview

_ATTRIBUTE, _PLACE = "ThyroidSynth.TrainingPreview", "ThyroidSynth.TrainingPreview.Place"
_GAP_MM = 25.0
_COLOURS = {"case": (0.87, 0.51, 0.40), "reconstruction": (0.30, 0.69, 0.55)}
_NAMES = {"case": "Training case", "reconstruction": "Reconstruction in training"}


def show_training_preview(scene: vtkMRMLScene, preview: Preview) -> None:
    """Show both shapes of a preview; those of an earlier one are replaced where they are."""
    nodes = training_preview_in(scene)
    if nodes is None:
        remove_training_preview(scene)
        place = _free_place(scene, preview)
        step = np.array([np.ptp(preview.original.vertices[:, 0]) + _GAP_MM, 0.0, 0.0])
        nodes = _add(scene, "case", place), _add(scene, "reconstruction", place + step)
    # Both are moved by the same amount from the trachea frame, so that they stand at the same height.
    lower, upper = preview.original.bounds
    for node, surface in zip(nodes, (preview.original, preview.reconstruction), strict=True):
        place = np.array(json.loads(node.GetAttribute(_PLACE)))
        moved = surface.moved(surface.vertices - (lower + upper) / 2 + place)
        node.SetAndObservePolyData(polydata_of(moved, normals=True))


def remove_training_preview(scene: vtkMRMLScene) -> None:
    """Remove both shapes, if they are shown."""
    for kind in _COLOURS:
        node = node_with(scene, "vtkMRMLModelNode", _ATTRIBUTE, kind)
        if node is not None:
            remove_node(node)


def training_preview_in(scene: vtkMRMLScene) -> tuple[vtkMRMLModelNode, vtkMRMLModelNode] | None:
    """Return the nodes of the case and of its reconstruction; None when they are not shown."""
    case, reconstruction = (node_with(scene, "vtkMRMLModelNode", _ATTRIBUTE, kind) for kind in _COLOURS)
    return None if case is None or reconstruction is None else (case, reconstruction)


def _free_place(scene: vtkMRMLScene, preview: Preview) -> np.ndarray:
    """Return a position in `ras_mm` to the patient's left of everything in the scene."""
    boxes = []
    for kind in ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLModelNode"):
        for node in nodes_of(scene, kind):
            # The slice views are hidden models as large as their field of view.
            if node.GetHideFromEditors():
                continue
            bounds = [0.0] * 6
            node.GetRASBounds(bounds)
            if bounds[0] <= bounds[1]:
                boxes.append(bounds)
    if not boxes:
        return np.zeros(3)
    box = np.array(boxes)
    # The first axis points to the right; there must be room for two shapes.
    half = np.ptp(preview.original.vertices[:, 0]) / 2
    left = box[:, 0].min() - 3 * half - 2 * _GAP_MM
    return np.array([left, (box[:, 2].min() + box[:, 3].max()) / 2, (box[:, 4].min() + box[:, 5].max()) / 2])


def _add(scene: vtkMRMLScene, kind: str, place: np.ndarray) -> vtkMRMLModelNode:
    node = add_hidden_node(scene, "vtkMRMLModelNode", _NAMES[kind], _ATTRIBUTE, kind)
    node.SetAttribute(_PLACE, json.dumps(place.tolist()))
    node.SetSelectable(False)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetColor(*_COLOURS[kind])
    display.SetVisibility2D(False)
    return node
