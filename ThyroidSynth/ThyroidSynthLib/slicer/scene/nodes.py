"""Nodes of a scene: how they are found and removed, and their matrices as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene, vtkMRMLTransformNode
    from vtkmodules.vtkCommonMath import vtkMatrix4x4


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


def add_hidden_node(scene: vtkMRMLScene, class_name: str, name: str, attribute: str, value: str) -> Any:
    """Add a node that is neither listed in selectors nor saved with the scene, marked by an attribute."""
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(name)
    node.SetAttribute(attribute, value)
    node.SetSaveWithScene(False)
    scene.AddNode(node)
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


def array_of_matrix(matrix: vtkMatrix4x4) -> np.ndarray:
    """Return a VTK matrix as an array of shape (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def transform_to_world(transform: vtkMRMLTransformNode) -> np.ndarray:
    """Return a linear transform, with those above it, as a (4, 4) matrix in `ras_mm`."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return array_of_matrix(matrix)
