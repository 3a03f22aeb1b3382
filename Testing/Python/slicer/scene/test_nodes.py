"""Nodes are found in their own scene, and removed with what belongs to them."""

from __future__ import annotations

from standin.strictness import node_ids
from ThyroidSynthLib.slicer.scene.nodes import add_hidden_node, node_with, nodes_of, remove_node


def test_only_nodes_of_the_given_scene_are_found(scene):
    import slicer

    other = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "model")
    assert nodes_of(scene, "vtkMRMLModelNode")[-1] is node
    assert nodes_of(other, "vtkMRMLModelNode") == []


def test_a_hidden_node_is_found_by_its_attribute_and_not_saved(scene):
    node = add_hidden_node(scene, "vtkMRMLModelNode", "Hidden", "purpose", "test")
    assert node.GetHideFromEditors()
    assert not node.GetSaveWithScene()
    assert node_with(scene, "vtkMRMLModelNode", "purpose", "test") is node
    assert node_with(scene, "vtkMRMLModelNode", "purpose", "other") is None


def test_a_node_is_removed_with_its_display_and_storage(scene):
    before = node_ids(scene)
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "model")
    node.CreateDefaultDisplayNodes()
    node.AddDefaultStorageNode()
    added = node_ids(scene) - before
    assert {node.GetID(), node.GetDisplayNodeID(), node.GetStorageNodeID()} <= added
    remove_node(node)
    assert not {each for each in added if "Model" in each} & node_ids(scene)
