"""Noticing that a segmentation's content or place has changed, a little later and once for many changes."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer


class SegmentationWatch:
    """Follows one segmentation node at a time.

    Parameters
    ----------
    onChanged : callable
        Called when its segments were changed, removed or moved: after the stroke of a brush, not in it.
    """

    def __init__(self, onChanged: Callable[[], None]) -> None:
        self._node = None
        self._tags: list[int] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", onChanged)

    def follow(self, segmentation) -> None:
        """Follow another segmentation node, or none."""
        if segmentation is self._node:
            return
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._timer.stop()
        self._tags, self._node = [], segmentation
        if segmentation is not None:
            events = slicer.vtkSegmentation
            self._tags = [
                segmentation.AddObserver(event, self._onEvent)
                for event in (
                    events.SegmentRemoved,
                    events.SegmentModified,
                    events.SourceRepresentationModified,
                    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
                )
            ]

    def _onEvent(self, caller, event) -> None:
        self._timer.start()
