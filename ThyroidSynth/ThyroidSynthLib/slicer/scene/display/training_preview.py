"""A training case and its reconstruction in 3D, beside whatever is in the scene; neither listed nor saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.polydata import polydata_of

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLScene

    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.jobs.preview import Preview

_ATTRIBUTE = "ThyroidSynth.TrainingPreview"
_GAP_MM = 25.0
_COLOURS = {"truth": (0.87, 0.51, 0.40), "made": (0.30, 0.69, 0.55)}
_NAMES = {"truth": "Training case", "made": "Reconstruction in training"}


def show_training_preview(scene: vtkMRMLScene, preview: Preview) -> None:
    """Show both shapes of a preview, replacing those of an earlier one where they stand."""
    nodes = {kind: _node(scene, kind) for kind in _COLOURS}
    if any(node is None for node in nodes.values()):
        remove_training_preview(scene)
        place = _free_place(scene, preview)
        for kind in _COLOURS:
            nodes[kind] = _add(scene, kind, place)
            place = place + np.array([np.ptp(preview.truth.vertices[:, 0]) + _GAP_MM, 0.0, 0.0])
    for kind, surface in (("truth", preview.truth), ("made", preview.made)):
        nodes[kind].SetAndObservePolyData(polydata_of(_placed(surface, preview, nodes[kind]), normals=True))


def remove_training_preview(scene: vtkMRMLScene) -> None:
    """Remove both shapes, if they are shown."""
    for kind in _COLOURS:
        node = _node(scene, kind)
        if node is not None:
            for each in (node.GetDisplayNode(), node):
                scene.RemoveNode(each)


def training_preview_in(scene: vtkMRMLScene) -> tuple[vtkMRMLModelNode, vtkMRMLModelNode] | None:
    """Give the nodes of the case and of its reconstruction, if they are shown."""
    truth, made = (_node(scene, kind) for kind in _COLOURS)
    return None if truth is None or made is None else (truth, made)


def _placed(surface: Surface, preview: Preview, node: vtkMRMLModelNode) -> Surface:
    """Move a shape from the trachea frame to its place, so that both stand at the same height."""
    place = np.array([float(value) for value in node.GetAttribute(_ATTRIBUTE).split()[1:]])
    lower, upper = preview.truth.bounds
    return surface.moved(surface.vertices - (lower + upper) / 2 + place)


def _free_place(scene: vtkMRMLScene, preview: Preview) -> np.ndarray:
    """Give a place to the patient's left of everything in the scene, in `ras_mm`."""
    others = []
    for kind in ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLModelNode"):
        nodes = scene.GetNodesByClass(kind)
        nodes.UnRegister(None)
        others += [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
    boxes = []
    for node in others:
        # The slice views are models too, as large as their field of view.
        if node.GetHideFromEditors():
            continue
        bounds = [0.0] * 6
        node.GetRASBounds(bounds)
        if bounds[0] <= bounds[1]:
            boxes.append(bounds)
    half = np.ptp(preview.truth.vertices[:, 0]) / 2
    if not boxes:
        return np.zeros(3)
    box = np.array(boxes)
    # R is the first axis, so the patient's left is where it is negative; two shapes stand there.
    left_end = box[:, 0].min() - 3 * half - 2 * _GAP_MM
    return np.array([left_end, (box[:, 2].min() + box[:, 3].max()) / 2, (box[:, 4].min() + box[:, 5].max()) / 2])


def _node(scene: vtkMRMLScene, kind: str) -> vtkMRMLModelNode | None:
    nodes = scene.GetNodesByClass("vtkMRMLModelNode")
    nodes.UnRegister(None)
    found = (nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems()))
    return next((node for node in found if (node.GetAttribute(_ATTRIBUTE) or "").split()[:1] == [kind]), None)


def _add(scene: vtkMRMLScene, kind: str, place: np.ndarray) -> vtkMRMLModelNode:
    node = scene.CreateNodeByClass("vtkMRMLModelNode")
    node.UnRegister(None)
    node.SetName(_NAMES[kind])
    node.SetAttribute(_ATTRIBUTE, " ".join([kind, *(f"{value:.3f}" for value in place)]))
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    node.SetSelectable(False)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetColor(*_COLOURS[kind])
    display.SetVisibility2D(False)
    return node
