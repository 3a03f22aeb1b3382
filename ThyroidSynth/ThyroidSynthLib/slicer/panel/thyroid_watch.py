"""Follow what the user does to the module's thyroids outside the panel: edits by hand, names, colours, visibility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.panel.shared.observing import SEGMENTATION_EVENTS, NodeObserver
from ThyroidSynthLib.slicer.panel.shared.wording import featuresText
from ThyroidSynthLib.slicer.scene.thyroids.collection import is_visible
from ThyroidSynthLib.slicer.scene.thyroids.present import measure_again
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import colour_of, generated_thyroids

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.session import Session

# Delay, so that the strokes of a brush and the steps of a slider lead to one measurement.
_CHECK_AFTER_MS = 300


class ThyroidWatch:
    """Measures thyroids again that were edited by hand, and announces them and any change of their display."""

    def __init__(self, session: Session) -> None:
        from vtk import vtkCommand

        displayed = slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent
        self._session = session
        self._events = (*SEGMENTATION_EVENTS, vtkCommand.ModifiedEvent, displayed)
        self._observers: dict[str, NodeObserver] = {}
        self._shown: dict[str, tuple] = {}
        self._timer = singleShotTimer(self._check, _CHECK_AFTER_MS)

    @property
    def pending(self) -> bool:
        """Whether a check is due."""
        return self._timer.isActive()

    def follow(self) -> None:
        """Observe the thyroids that are in the scene now."""
        nodes = {node.GetID(): node for node in generated_thyroids(slicer.mrmlScene)}
        for gone in self._observers.keys() - nodes.keys():
            self._observers.pop(gone).follow(None)
            self._shown.pop(gone, None)
        for nodeID, node in nodes.items():
            if nodeID not in self._observers:
                self._observers[nodeID] = NodeObserver(self._events, self._timer.start)
                self._shown[nodeID] = _shown(node)
                # It may have been changed while the module was closed.
                self._timer.start()
            self._observers[nodeID].follow(node)

    def release(self) -> None:
        """Release the scene."""
        self._timer.stop()
        for observer in self._observers.values():
            observer.follow(None)
        self._observers.clear()
        self._shown.clear()

    def _check(self) -> None:
        if self._session.busy:
            self._timer.start()
            return
        nodes = [observer.node for observer in self._observers.values() if observer.node.GetScene() is not None]
        changed = [node for node in nodes if measure_again(node)]
        shown = {node.GetID(): _shown(node) for node in nodes}
        before, self._shown = self._shown, shown
        if changed:
            self._session.showStatus(_changeText(changed[-1]))
        if changed or shown != before:
            self._session.announceThyroids()


def _shown(node: Any) -> tuple:
    return node.GetName(), is_visible(node), colour_of(node)


def _changeText(node: Any) -> str:
    record = read_record(node)
    if record is None or not record.edited_by_hand:
        return _("'{name}' is again as it was made.").format(name=node.GetName())
    return _("'{name}' was edited by hand: {features}.").format(
        name=node.GetName(), features=featuresText(record.features)
    )
