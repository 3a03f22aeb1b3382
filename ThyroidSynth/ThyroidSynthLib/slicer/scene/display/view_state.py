"""What the views show and from where, to be restored after something else was shown in them for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ThyroidSynthLib.slicer.scene.nodes import nodes_of

if TYPE_CHECKING:
    import numpy as np
    from slicer import vtkMRMLScene


class ViewState:
    """The layers of the slice views, and the place of each slice and camera, as they are at its creation."""

    def __init__(self, scene: vtkMRMLScene) -> None:
        self._layers = [
            (node, node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetLabelVolumeID())
            for node in nodes_of(scene, "vtkMRMLSliceCompositeNode")
        ]
        self._opacities = [(n, n.GetForegroundOpacity(), n.GetLabelOpacity()) for n, *_ in self._layers]
        self._slices = [
            (node, _matrix(node), node.GetFieldOfView(), node.GetSliceVisible())
            for node in nodes_of(scene, "vtkMRMLSliceNode")
        ]
        self._cameras = [
            (node, node.GetPosition(), node.GetFocalPoint(), node.GetViewUp())
            for node in nodes_of(scene, "vtkMRMLCameraNode")
        ]

    def restore(self) -> None:
        """Let the views that are still there show what they did."""
        for node, background, foreground, label in self._layers:
            if node.GetScene() is not None:
                node.SetBackgroundVolumeID(background)
                node.SetForegroundVolumeID(foreground)
                node.SetLabelVolumeID(label)
        for node, foreground, label in self._opacities:
            node.SetForegroundOpacity(foreground)
            node.SetLabelOpacity(label)
        for node, matrix, field_of_view, in_3d in self._slices:
            if node.GetScene() is not None:
                node.SetSliceVisible(in_3d)
                node.GetSliceToRAS().DeepCopy(matrix.ravel().tolist())
                node.SetFieldOfView(*field_of_view)
                node.UpdateMatrices()
        for node, position, focal_point, view_up in self._cameras:
            if node.GetScene() is not None:
                node.SetPosition(position)
                node.SetFocalPoint(focal_point)
                node.SetViewUp(view_up)
                node.ResetClippingRange()


def _matrix(node) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
