"""Notice that the scene is about to be saved, so that what is hidden for a while is shown in the file.

Slicer (5.12) announces no save of a scene. But before the scene's file it writes the data of the nodes: their storage
nodes are added or get another path.
"""

from __future__ import annotations

from collections.abc import Callable

import slicer

from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.scene.nodes import nodes_of


class SaveWatch:
    """Calls `before` when data of segmentations may be written, and `after` when the running code has ended.

    A file that is loaded has a storage node, too: both functions must be without effect for the user.
    """

    def __init__(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        from vtkmodules.util.misc import calldata_type
        from vtkmodules.util.vtkConstants import VTK_OBJECT
        from vtkmodules.vtkCommonCore import vtkCommand

        self._before, self._after = before, after
        self._modified = vtkCommand.ModifiedEvent
        self._ended = singleShotTimer(self._onEnd)
        self._storages: dict[str, tuple] = {}

        @calldata_type(VTK_OBJECT)
        def onNodeAdded(caller, event, node) -> None:
            if node is not None and node.IsA("vtkMRMLSegmentationStorageNode"):
                self._onWrite()

        self._sceneTag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, onNodeAdded)

    def follow(self) -> None:
        """Observe the storage nodes of the segmentations that are in the scene now."""
        found = {node.GetID(): node for node in nodes_of(slicer.mrmlScene, "vtkMRMLSegmentationStorageNode")}
        for gone in self._storages.keys() - found.keys():
            node, tag = self._storages.pop(gone)
            node.RemoveObserver(tag)
        for nodeID, node in found.items():
            if nodeID not in self._storages:
                self._storages[nodeID] = node, node.AddObserver(self._modified, self._onWrite)

    def close(self) -> None:
        """Release the scene."""
        self._ended.stop()
        slicer.mrmlScene.RemoveObserver(self._sceneTag)
        for node, tag in self._storages.values():
            node.RemoveObserver(tag)
        self._storages.clear()

    def _onWrite(self, *event) -> None:
        if not self._ended.isActive():
            self._ended.start()
            self._before()

    def _onEnd(self) -> None:
        self._after()
        # The storage nodes that were added.
        self.follow()
