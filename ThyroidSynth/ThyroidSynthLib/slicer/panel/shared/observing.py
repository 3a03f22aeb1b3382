"""Observe events of one node at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer

from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer

SEGMENTATION_EVENTS = (
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkSegmentation.SegmentModified,
    slicer.vtkSegmentation.SourceRepresentationModified,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
)
"""Events after which the content or place of a segmentation may have changed."""


class NodeObserver:
    """Calls a function after events of the observed node.

    With `later` it is called once for many events, after the running code, such as the stroke of a brush, has ended.
    """

    def __init__(self, events: Sequence[int], onEvent: Callable[[], None], *, later: bool = False) -> None:
        self.node: Any = None
        self._events, self._later = events, later
        self._call = onEvent
        self._tags: list[int] = []
        self._timer = singleShotTimer(onEvent)

    def follow(self, node: Any) -> None:
        """Observe another node, or none."""
        if node is self.node:
            return
        for tag in self._tags:
            self.node.RemoveObserver(tag)
        self._timer.stop()
        self.node, self._tags = node, []
        if node is not None:
            self._tags = [node.AddObserver(event, self._onEvent) for event in self._events]

    def _onEvent(self, caller, event) -> None:
        if self._later:
            self._timer.start()
        else:
            self._call()
