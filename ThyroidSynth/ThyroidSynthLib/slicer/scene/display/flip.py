"""Flip between two thyroids: one of them is shown at a time, both in the same style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

_FILL_OPACITY = 0.25


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

    Only their display is changed, and `end` restores it.

    Parameters
    ----------
    first, second : Shown
        The two thyroids; the first one is shown first.
    """

    def __init__(self, first: Shown, second: Shown) -> None:
        self.pair = (first, second)
        self.index = 0
        self._before = [_Display.of(each) for each in self.pair]
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
                _Display(True, index == self.index, True, _FILL_OPACITY, 1.0, 1.0).apply_to(each)

    def end(self) -> None:
        """Restore the display of both."""
        for each, display in zip(self.pair, self._before, strict=True):
            if each.exists():
                display.apply_to(each)


@dataclass(frozen=True)
class _Display:
    """How a segment is displayed: visibility of its node and itself, fill in slice views, opacities."""

    node_visible: bool
    visible: bool
    filled: bool
    fill_opacity: float
    outline_opacity: float
    opacity_3d: float

    @classmethod
    def of(cls, shown: Shown) -> _Display:
        display, segment_id = shown.node.GetDisplayNode(), shown.segment_id
        return cls(
            bool(display.GetVisibility()),
            display.GetSegmentVisibility(segment_id),
            display.GetSegmentVisibility2DFill(segment_id),
            display.GetSegmentOpacity2DFill(segment_id),
            display.GetSegmentOpacity2DOutline(segment_id),
            display.GetSegmentOpacity3D(segment_id),
        )

    def apply_to(self, shown: Shown) -> None:
        if _Display.of(shown) == self:
            return
        display, segment_id = shown.node.GetDisplayNode(), shown.segment_id
        modifying = display.StartModify()
        display.SetVisibility(self.node_visible)
        display.SetSegmentVisibility(segment_id, self.visible)
        display.SetSegmentVisibility2DFill(segment_id, self.filled)
        display.SetSegmentOpacity2DFill(segment_id, self.fill_opacity)
        display.SetSegmentOpacity2DOutline(segment_id, self.outline_opacity)
        display.SetSegmentOpacity3D(segment_id, self.opacity_3d)
        display.EndModify(modifying)
