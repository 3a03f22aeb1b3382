"""Nodes of a scene: how they are found, added and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene


def nodes_of(scene: vtkMRMLScene, class_name: str) -> list[Any]:
    """Return the nodes of a class, oldest first.

    `slicer.util.getNodesByClass` ignores the scene it is given (Slicer 5.12).
    """
    found = scene.GetNodesByClass(class_name)
    found.UnRegister(None)
    return [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]


def node_with(scene: vtkMRMLScene, class_name: str, attribute: str, value: str) -> Any | None:
    """Return the first node of a class with a value of an attribute; None when there is none."""
    return next((node for node in nodes_of(scene, class_name) if node.GetAttribute(attribute) == value), None)


def add_node(scene: vtkMRMLScene, class_name: str, name: str, attribute: str, value: str, *, saved: bool = True) -> Any:
    """Add a node that has an attribute from the start: selectors read attributes only when a node is added."""
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(name)
    node.SetAttribute(attribute, value)
    node.SetSaveWithScene(saved)
    return scene.AddNode(node)


def add_hidden_node(scene: vtkMRMLScene, class_name: str, name: str, attribute: str, value: str) -> Any:
    """Add a node that is neither listed in selectors nor saved with the scene, marked by an attribute."""
    node = add_node(scene, class_name, name, attribute, value, saved=False)
    # Before the node is in the scene, the subject hierarchy would log an error.
    node.SetHideFromEditors(True)
    return node


def remove_node(node: vtkMRMLNode) -> None:
    """Remove a displayable node with its display and storage nodes."""
    scene = node.GetScene()
    displays = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    # A colour legend is the last display node and refers to the first.
    for each in (*reversed(displays), node.GetStorageNode(), node):
        if each is not None:
            scene.RemoveNode(each)
