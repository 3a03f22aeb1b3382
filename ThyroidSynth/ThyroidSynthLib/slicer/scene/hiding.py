"""Nodes that the module hides for a while: other patients, and thyroids that would cover the one that is edited.

They are marked by an attribute, so that they can be shown again when the module is left or the scene is saved, and
hidden again afterwards. A node that the user shows loses its mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .nodes import nodes_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode

_ATTRIBUTE = "ThyroidSynth.Hidden"


def hide_for_now(node: vtkMRMLSegmentationNode, reason: str) -> None:
    """Hide a node that is shown and note why."""
    display = node.GetDisplayNode()
    if display is not None and display.GetVisibility():
        node.SetAttribute(_ATTRIBUTE, reason)
        display.SetVisibility(False)


def is_hidden_for_now(node: vtkMRMLSegmentationNode) -> bool:
    """Check whether the module hides a node."""
    return node.GetAttribute(_ATTRIBUTE) is not None


def end_hiding(node: vtkMRMLSegmentationNode, reason: str) -> None:
    """Show a node that was hidden for a reason; one that is hidden for another stays as it is."""
    if node.GetAttribute(_ATTRIBUTE) == reason:
        node.RemoveAttribute(_ATTRIBUTE)
        _set_visible(node, True)


def show_now(node: vtkMRMLSegmentationNode) -> None:
    """Show a node for good, whether or not the module hides it."""
    node.RemoveAttribute(_ATTRIBUTE)
    _set_visible(node, True)


def show_hidden(scene: vtkMRMLScene) -> None:
    """Show all nodes that the module hides, until `hide_again`."""
    for node in _hidden(scene):
        _set_visible(node, True)


def hide_again(scene: vtkMRMLScene) -> None:
    """Hide what `show_hidden` has shown."""
    for node in _hidden(scene):
        _set_visible(node, False)


def forget_shown(scene: vtkMRMLScene) -> None:
    """Forget the nodes that the user has shown meanwhile."""
    for node in _hidden(scene):
        display = node.GetDisplayNode()
        if display is None or display.GetVisibility():
            node.RemoveAttribute(_ATTRIBUTE)


def _hidden(scene) -> list[vtkMRMLSegmentationNode]:
    return [node for node in nodes_of(scene, "vtkMRMLSegmentationNode") if is_hidden_for_now(node)]


def _set_visible(node, visible: bool) -> None:
    display = node.GetDisplayNode()
    if display is not None and bool(display.GetVisibility()) != visible:
        display.SetVisibility(visible)
