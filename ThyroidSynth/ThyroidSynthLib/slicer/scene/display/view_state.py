"""What the views show and from where, to be restored after something else was shown in them for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ThyroidSynthLib.slicer.scene.nodes import nodes_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScene


@dataclass(frozen=True)
class ViewState:
    """The CT in the slice views, the place of each slice and camera, by the IDs of their nodes.

    Attributes
    ----------
    active_volume : str
        ID of the volume that is chosen for all slice views; empty for none.
    backgrounds : dict of str to str
        ID of the volume in each slice view.
    slices : dict of str to tuple
        Origin and axes of each slice as 16 numbers, and its field of view in mm.
    cameras : dict of str to tuple
        Focal point, position and upward direction of each camera.
    """

    scene: vtkMRMLScene
    active_volume: str
    backgrounds: dict[str, str]
    slices: dict[str, tuple]
    cameras: dict[str, tuple]

    @classmethod
    def of(cls, scene: vtkMRMLScene) -> ViewState:
        """Return what the views show now."""
        return cls(
            scene,
            _selection().GetActiveVolumeID() or "",
            {each.GetID(): each.GetBackgroundVolumeID() or "" for each in nodes_of(scene, _COMPOSITE)},
            {each.GetID(): (_matrix(each), each.GetFieldOfView()) for each in nodes_of(scene, _SLICE)},
            {
                each.GetID(): (each.GetFocalPoint(), each.GetPosition(), each.GetViewUp())
                for each in nodes_of(scene, _CAMERA)
            },
        )

    def show_no_ct(self) -> None:
        """Show no volume in the slice views."""
        for each in nodes_of(self.scene, _COMPOSITE):
            each.SetBackgroundVolumeID(None)

    def restore(self) -> None:
        """Show the same as before, in those views that are still there."""
        _selection().SetActiveVolumeID(self.active_volume or None)
        for each in nodes_of(self.scene, _COMPOSITE):
            if each.GetID() in self.backgrounds:
                each.SetBackgroundVolumeID(self.backgrounds[each.GetID()] or None)
        for each in nodes_of(self.scene, _SLICE):
            if each.GetID() in self.slices:
                matrix, field_of_view = self.slices[each.GetID()]
                each.GetSliceToRAS().DeepCopy(matrix)
                each.SetFieldOfView(*field_of_view)
                each.UpdateMatrices()
        for each in nodes_of(self.scene, _CAMERA):
            if each.GetID() in self.cameras:
                focal_point, position, view_up = self.cameras[each.GetID()]
                each.SetFocalPoint(focal_point)
                each.SetPosition(position)
                each.SetViewUp(view_up)
                each.ResetClippingRange()


_COMPOSITE, _SLICE, _CAMERA = "vtkMRMLSliceCompositeNode", "vtkMRMLSliceNode", "vtkMRMLCameraNode"


def _selection():
    import slicer

    return slicer.app.applicationLogic().GetSelectionNode()


def _matrix(node) -> tuple[float, ...]:
    matrix = node.GetSliceToRAS()
    return tuple(matrix.GetElement(row, column) for row in range(4) for column in range(4))
