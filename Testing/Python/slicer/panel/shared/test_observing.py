"""One node is observed at a time."""

from __future__ import annotations

import pytest


@pytest.fixture
def nodes(scene):
    return [scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name) for name in ("first", "second")]


def add_segment(node) -> None:
    node.GetSegmentation().AddEmptySegment(f"segment {node.GetSegmentation().GetNumberOfSegments()}")


def test_only_the_followed_node_is_observed(nodes, slicer_app):
    from ThyroidSynthLib.slicer.panel.shared.observing import SEGMENTATION_EVENTS, NodeObserver

    first, second = nodes
    calls = []
    observer = NodeObserver(SEGMENTATION_EVENTS, lambda: calls.append(observer.node.GetName()))
    observer.follow(first)
    add_segment(first)
    add_segment(second)
    assert set(calls) == {"first"}
    calls.clear()
    observer.follow(second)
    add_segment(first)
    assert calls == []
    add_segment(second)
    assert set(calls) == {"second"}
    observer.follow(None)
    calls.clear()
    add_segment(second)
    assert calls == []


def test_events_are_combined_into_one_later_call(nodes, slicer_app):
    from ThyroidSynthLib.slicer.panel.shared.observing import SEGMENTATION_EVENTS, NodeObserver

    calls = []
    observer = NodeObserver(SEGMENTATION_EVENTS, lambda: calls.append(1), later=True)
    observer.follow(nodes[0])
    add_segment(nodes[0])
    add_segment(nodes[0])
    assert calls == []
    slicer_app.process_events()
    assert calls == [1]
    add_segment(nodes[0])
    observer.follow(nodes[1])
    slicer_app.process_events()
    assert calls == [1]
