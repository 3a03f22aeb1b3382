"""Flip between two thyroids: one of them is shown at a time, both in the same style."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ThyroidSynthLib.slicer.scene.hiding import is_hidden_for_now
from ThyroidSynthLib.slicer.scene.nodes import nodes_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode

# How a thyroid was displayed before the flip, for a scene that is saved during one.
_BEFORE = "ThyroidSynth.LookBeforeFlip"

# What is changed of a segment's display, by its names in `vtkMRMLSegmentationDisplayNode`, and the common style.
_PROPERTIES = ("Visibility", "Visibility3D", "Visibility2DFill", "Opacity2DFill", "Opacity2DOutline", "Opacity3D")
_STYLE = (True, True, 0.25, 1.0, 1.0)


@dataclass(frozen=True)
class Shown:
    """A segment of a segmentation node that can be shown or hidden."""

    node: vtkMRMLSegmentationNode
    segment_id: str

    def exists(self) -> bool:
        """Check whether the segment is still in the scene."""
        return self.node.GetScene() is not None and self.node.GetSegmentation().GetSegment(self.segment_id) is not None


class Flip:
    """Shows one of two thyroids at a time; cameras and slices stay where they are.

    The first one is shown first. Only their display is changed, and `end` restores it.
    """

    def __init__(self, first: Shown, second: Shown) -> None:
        self.pair = (first, second)
        self.index = 0
        self._before = [_display_of(each) for each in self.pair]
        for each, display in zip(self.pair, self._before, strict=True):
            each.node.SetAttribute(_BEFORE, json.dumps([each.segment_id, *display]))
        self.apply()

    @property
    def shown(self) -> Shown:
        """The thyroid that is shown."""
        return self.pair[self.index]

    def turn(self) -> None:
        """Show the other one."""
        self.index = 1 - self.index
        self.apply()

    def apply(self) -> None:
        """Show one and hide the other, even if their display was changed meanwhile."""
        for index, each in enumerate(self.pair):
            if each.exists():
                _set_display(each, (True, index == self.index, *_STYLE))

    def end(self) -> None:
        """Restore the display of both."""
        self.show_both()
        for each in self.pair:
            each.node.RemoveAttribute(_BEFORE)

    def show_both(self) -> None:
        """Show both as before the flip, until `apply`."""
        for each, display in zip(self.pair, self._before, strict=True):
            _restore(each, display)


def end_saved_flip(scene: vtkMRMLScene) -> None:
    """Restore the display of thyroids in a scene that was saved during a flip."""
    for node in nodes_of(scene, "vtkMRMLSegmentationNode"):
        before = node.GetAttribute(_BEFORE)
        if before is not None:
            node.RemoveAttribute(_BEFORE)
            segment_id, *display = json.loads(before)
            _restore(Shown(node, segment_id), tuple(display))


def _restore(shown: Shown, display: tuple) -> None:
    if shown.exists() and shown.node.GetDisplayNode() is not None:
        # Another patient may have been chosen meanwhile.
        _set_display(shown, (display[0] and not is_hidden_for_now(shown.node), *display[1:]))


def _display_of(shown: Shown) -> tuple:
    """Return the visibility of a segment's node and the segment's own `_PROPERTIES`."""
    display = shown.node.GetDisplayNode()
    own = (getattr(display, f"GetSegment{name}")(shown.segment_id) for name in _PROPERTIES)
    return bool(display.GetVisibility()), *own


def _set_display(shown: Shown, values: tuple) -> None:
    if _display_of(shown) == values:
        return
    display = shown.node.GetDisplayNode()
    modifying = display.StartModify()
    display.SetVisibility(values[0])
    for name, value in zip(_PROPERTIES, values[1:], strict=True):
        getattr(display, f"SetSegment{name}")(shown.segment_id, value)
    display.EndModify(modifying)
