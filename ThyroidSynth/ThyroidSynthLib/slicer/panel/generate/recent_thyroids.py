"""The strip of the last thyroids: small pictures, and a click to go back to one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.slicer.panel.shared.drawing import shadedPixmap, watch
from ThyroidSynthLib.slicer.panel.shared.wording import featuresText
from ThyroidSynthLib.slicer.scene.thyroids.records import GENERATED, ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

LENGTH = 6
"""How many thyroids are kept."""

_PIXELS = 56
_COLOUR = (0.20, 0.78, 0.55)


@dataclass(frozen=True)
class PastThyroid:
    """A thyroid to go back to.

    Attributes
    ----------
    record : ThyroidRecord
        What is known of it.
    surface : Surface
        In `trachea_mm`.
    """

    record: ThyroidRecord
    surface: Surface = field(repr=False)

    @property
    def key(self) -> tuple:
        """What tells it from others."""
        return keyOf(self.record)


def keyOf(record: ThyroidRecord) -> tuple:
    """Give what tells one thyroid's record from another's, wherever it lies."""
    return record.code, record.overlap_removed, record.model, record.resolution


class History:
    """Keeps the last thyroids, newest first, and shows them.

    Parameters
    ----------
    widget : QWidget
        Holds the pictures; it has a layout.
    goBack : callable
        Called with the `PastThyroid` that was clicked.
    before : QWidget
        What the keyboard reaches before the pictures.
    """

    def __init__(self, widget, goBack: Callable[[PastThyroid], None], *, before) -> None:
        self._widget, self._goBack = widget, goBack
        self._past: list[PastThyroid] = []
        self._current: tuple | None = None
        self._waiting: list = []
        self._icons: dict[tuple, object] = {}
        self._buttons = [self._button(place) for place in range(LENGTH)]
        for first, second in itertools.pairwise([before, *self._buttons]):
            qt.QWidget.setTabOrder(first, second)
        widget.layout().addStretch(1)
        widget.visible = False
        self._watcher = watch(widget, self._drawAll)
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self._takeNext)

    @property
    def past(self) -> tuple[PastThyroid, ...]:
        """The thyroids, newest first."""
        return tuple(self._past)

    def add(self, past: PastThyroid) -> None:
        """Put a thyroid first; it is then the current one."""
        self._past = [past, *(each for each in self._past if each.key != past.key)][:LENGTH]
        self._current = past.key
        self._drawAll()

    def offer(self, nodes: Iterable) -> None:
        """Take in generated thyroids of the scene that are not there yet, behind the others, one by one."""
        self._waiting = list(nodes)[::-1]
        if len(self._past) < LENGTH and self._waiting:
            self._soon.start()

    def mark(self, record: ThyroidRecord | None) -> None:
        """Mark the thyroid that is shown."""
        current = keyOf(record) if record is not None else None
        if current != self._current:
            self._current = current
            self._check()

    def clear(self) -> None:
        """Forget all."""
        self.stop()
        self._past, self._current = [], None
        self._icons.clear()
        self._drawAll()

    def stop(self) -> None:
        """Take in nothing more."""
        self._soon.stop()
        self._waiting = []

    def _takeNext(self) -> None:
        while self._waiting and len(self._past) < LENGTH:
            node = self._waiting.pop(0)
            record = read_record(node) if node.GetScene() is not None else None
            known = {past.key for past in self._past}
            if record is None or record.kind != GENERATED or not record.code or keyOf(record) in known:
                continue
            surface = surface_of_segment(node, SEGMENT_ID)
            local = surface.moved(record.placement.to_trachea(surface.vertices))
            self._past.append(PastThyroid(record, local))
            self._draw(len(self._past) - 1)
            self._check()
            self._soon.start()
            return

    def _button(self, place: int):
        button = qt.QToolButton()
        button.objectName = f"history{place + 1}Button"
        button.checkable = True
        button.autoRaise = True
        button.visible = False
        button.toolTip = _("Go back to this thyroid")
        button.setIconSize(qt.QSize(_PIXELS, _PIXELS))

        def onClicked(checked: bool = False) -> None:
            self._check()
            self._goBack(self._past[place])

        button.connect("clicked(bool)", onClicked)
        self._widget.layout().addWidget(button)
        return button

    def _drawAll(self) -> None:
        for place in range(LENGTH):
            self._draw(place)
        self._check()

    def _draw(self, place: int) -> None:
        button = self._buttons[place]
        if place >= len(self._past):
            button.visible = False
            return
        past = self._past[place]
        button.setIcon(self._icon(past))
        button.toolTip = _("Go back to this thyroid: seed {seed}, {features}").format(
            seed=past.record.seed, features=featuresText(past.record.features)
        )
        button.visible = True

    def _icon(self, past: PastThyroid):
        """Give a thyroid's picture over the widget's own background; one that was drawn is not drawn again."""
        ratio = self._widget.devicePixelRatioF()
        ground = self._widget.palette.color(qt.QPalette.Active, qt.QPalette.Base)
        drawing = past.key, ratio, ground.name()
        if drawing not in self._icons:
            shown = {each.key for each in self._past}
            self._icons = {each: icon for each, icon in self._icons.items() if each[0] in shown}
            pixmap = shadedPixmap(past.surface, _COLOUR, ground, pixels=round(_PIXELS * ratio))
            pixmap.setDevicePixelRatio(ratio)
            self._icons[drawing] = qt.QIcon(pixmap)
        return self._icons[drawing]

    def _check(self) -> None:
        self._widget.visible = bool(self._past)
        for place, button in enumerate(self._buttons):
            button.checked = place < len(self._past) and self._past[place].key == self._current
