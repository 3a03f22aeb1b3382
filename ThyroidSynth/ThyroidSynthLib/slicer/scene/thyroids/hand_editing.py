"""Hand a thyroid to the Segment Editor, and show its surface in 3D views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .present import thyroid_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

_SEGMENT_EDITOR = "SegmentEditor"


def choose_in_segment_editor(node: vtkMRMLSegmentationNode, ct: vtkMRMLScalarVolumeNode | None) -> None:
    """Choose a thyroid and the CT in the module Segment Editor, which need not have been opened before.

    The thyroid is shown: the Segment Editor would change a hidden one unseen.
    """
    scene, display = node.GetScene(), node.GetDisplayNode()
    display.SetVisibility(True)
    display.SetSegmentVisibility(thyroid_segment(node), True)
    # The node with which the module keeps its choices; it creates one in the same way.
    editor = scene.GetSingletonNode(_SEGMENT_EDITOR, "vtkMRMLSegmentEditorNode")
    if editor is None:
        editor = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        editor.UnRegister(None)
        editor.SetSingletonTag(_SEGMENT_EDITOR)
        editor = scene.AddNode(editor)
    editor.SetAndObserveSegmentationNode(node)
    editor.SetAndObserveSourceVolumeNode(ct)
    editor.SetSelectedSegmentID(thyroid_segment(node))


def is_shown_in_3d(node: vtkMRMLSegmentationNode) -> bool:
    """Check whether a thyroid is visible and has a surface that is shown in 3D views."""
    display = node.GetDisplayNode()
    has_surface = node.GetSegmentation().ContainsRepresentation("Closed surface")
    return display is not None and has_surface and bool(display.GetVisibility() and display.GetVisibility3D())


def show_in_3d(node: vtkMRMLSegmentationNode, shown: bool) -> None:
    """Show the surface of a thyroid in 3D views, made from the voxels of the Segment Editor if needed, or hide it."""
    if shown:
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetVisibility(True)
    node.GetDisplayNode().SetVisibility3D(shown)
