"""Flipping between two thyroids in the same views: now one is shown, now the other, in the same style."""

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
        """Say whether it is still in the scene."""
        return self.node.GetScene() is not None and self.node.GetSegmentation().GetSegment(self.segment_id) is not None


class Flip:
    """Shows one of two thyroids at a time; cameras and slices stay where they are.

    Only how they are displayed is changed, and `end` brings that back.

    Parameters
    ----------
    first, second : Shown
        The first one is shown at the beginning.
    """

    def __init__(self, first: Shown, second: Shown) -> None:
        self.pair = (first, second)
        self.index = 0
        self._before = [_Look.of(each) for each in self.pair]
        self.apply()

    @property
    def shown(self) -> Shown:
        """The one that is shown."""
        return self.pair[self.index]

    def turn(self) -> None:
        """Show the other one."""
        self.index = 1 - self.index
        self.apply()

    def apply(self) -> None:
        """Show the one and hide the other, whatever else has changed how they look meanwhile."""
        for index, each in enumerate(self.pair):
            if each.exists():
                _Look(True, index == self.index, True, _FILL_OPACITY, 1.0, 1.0).give(each)

    def end(self) -> None:
        """Bring back how both looked before."""
        for each, look in zip(self.pair, self._before, strict=True):
            if each.exists():
                look.give(each)


@dataclass(frozen=True)
class _Look:
    """How a segment is displayed: its node's visibility, its own, filled in 2D, and opacities."""

    node_visible: bool
    visible: bool
    filled: bool
    fill_opacity: float
    outline_opacity: float
    opacity_3d: float

    @classmethod
    def of(cls, shown: Shown) -> _Look:
        display, segment_id = shown.node.GetDisplayNode(), shown.segment_id
        return cls(
            bool(display.GetVisibility()),
            display.GetSegmentVisibility(segment_id),
            display.GetSegmentVisibility2DFill(segment_id),
            display.GetSegmentOpacity2DFill(segment_id),
            display.GetSegmentOpacity2DOutline(segment_id),
            display.GetSegmentOpacity3D(segment_id),
        )

    def give(self, shown: Shown) -> None:
        if _Look.of(shown) == self:
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
