"""Accept files and nodes that a user drags onto a widget.

Slicer's subject hierarchy provides dragged nodes as URLs (`qMRMLSubjectHierarchyModel::mimeData`), which its
slice and 3D views accept, but its node selectors do not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer

from .timers import singleShotTimer

_ITEM = "mrml://scene/subjecthierarchy/item?id="


class _Filter(qt.QObject):
    """Event filter that passes drops on a widget to `onDrop`."""

    def __init__(self, parent) -> None:
        qt.QObject.__init__(self, parent)
        self.onDrop: Callable[[list[str]], None] | None = None

    def eventFilter(self, watched, event) -> bool:
        if self.onDrop is None:
            return False
        kind = event.type()
        if kind in (qt.QEvent.DragEnter, qt.QEvent.DragMove):
            if event.mimeData().hasUrls():
                event.acceptProposedAction()
                return True
        elif kind == qt.QEvent.Drop and event.mimeData().hasUrls():
            event.acceptProposedAction()
            self.onDrop([url.toString() for url in event.mimeData().urls()])
            return True
        return False


class DropTarget:
    """Makes a widget accept files and nodes.

    They are handled after the drop has ended, because until then the application they come from waits.
    """

    def __init__(self, widget, onFiles: Callable[[list[Path]], None], onNodes: Callable[[list], None]) -> None:
        self._widget, self._onFiles, self._onNodes = widget, onFiles, onNodes
        self._dropped: list[str] = []
        self._timer = singleShotTimer(self._onTime)
        self._filter = _Filter(widget)
        self._filter.onDrop = self._onDrop
        widget.acceptDrops = True
        widget.installEventFilter(self._filter)

    def close(self) -> None:
        """Accept no more drops."""
        self._timer.stop()
        self._filter.onDrop = None
        self._widget.removeEventFilter(self._filter)

    def _onDrop(self, urls: list[str]) -> None:
        self._dropped = urls
        self._timer.start()

    def _onTime(self) -> None:
        urls, self._dropped = self._dropped, []
        nodes = [node for node in map(_nodeOf, urls) if node is not None]
        files = [Path(qt.QUrl(url).toLocalFile()) for url in urls if qt.QUrl(url).isLocalFile()]
        if nodes:
            self._onNodes(nodes)
        elif files:
            self._onFiles(files)


def _nodeOf(url: str):
    """Return the node of a subject hierarchy item's URL; None for any other URL."""
    number = url[len(_ITEM) :] if url.startswith(_ITEM) else ""
    if not number.isdigit():
        return None
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemDataNode(int(number))
