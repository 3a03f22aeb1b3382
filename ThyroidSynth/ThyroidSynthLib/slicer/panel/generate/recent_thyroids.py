"""Thumbnails of the last thyroids; a click restores one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.controls.drawing import shadedPixmap, watch
from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.panel.shared.wording import featuresText
from ThyroidSynthLib.slicer.scene.thyroids.present import is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.records import GENERATED, ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import GENERATED_COLOUR, SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

from .generator import RecordedThyroid, keyOf
from .neighbours import organs_around

LENGTH = 5
"""Number of thyroids that are kept."""

_PIXELS = 56


class RecentThyroids:
    """Keeps the last thyroids and shows their thumbnails in a widget, newest first.

    `restore` is called with the one that was clicked; `before` is the previous widget in the tab order.
    """

    def __init__(self, widget, restore: Callable[[RecordedThyroid], None], *, before) -> None:
        self._widget, self._restore = widget, restore
        self._past: list[RecordedThyroid] = []
        self._current: tuple | None = None
        self._waiting: list = []
        self._icons: dict[tuple, object] = {}
        self._buttons = [self._button(place) for place in range(LENGTH)]
        for first, second in itertools.pairwise([before, *self._buttons]):
            qt.QWidget.setTabOrder(first, second)
        widget.layout().addStretch(1)
        widget.visible = False
        self._watcher = watch(widget, self._drawAll)
        self._soon = singleShotTimer(self._addNext)

    def add(self, past: RecordedThyroid) -> None:
        """Add a thyroid as the newest, which is shown."""
        self._past = [past, *(each for each in self._past if each.key != past.key)][:LENGTH]
        self._current = past.key
        self._drawAll()

    def offer(self, nodes: Iterable) -> None:
        """Add generated thyroids of the scene that are missing behind the others, one in each turn."""
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
        """Remove all thyroids."""
        self.stop()
        self._past, self._current = [], None
        self._icons.clear()
        self._drawAll()

    def stop(self) -> None:
        """Add no more thyroids of the scene."""
        self._soon.stop()
        self._waiting = []

    def _addNext(self) -> None:
        while self._waiting and len(self._past) < LENGTH:
            node = self._waiting.pop(0)
            if node.GetScene() is None or is_edited_by_hand(node):
                continue
            record = read_record(node)
            known = {past.key for past in self._past}
            if record is None or record.kind != GENERATED or not record.code or keyOf(record) in known:
                continue
            surface = surface_of_segment(node, SEGMENT_ID)
            local = surface.moved(record.placement.to_trachea(surface.vertices))
            self._past.append(RecordedThyroid(record, local, organs_around(node, record.placement)))
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
        button.accessibleName = button.toolTip = _("Restore this thyroid")
        button.setIconSize(qt.QSize(_PIXELS, _PIXELS))

        def onClicked(checked: bool = False) -> None:
            self._check()
            self._restore(self._past[place])

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
        text = _("Restore this thyroid: random seed {seed}, {features}").format(
            seed=past.record.seed, features=featuresText(past.record.features)
        )
        button.toolTip = text
        # A screen reader cannot read the picture.
        button.accessibleName = text
        button.visible = True

    def _icon(self, past: RecordedThyroid):
        """Return the thumbnail of a thyroid on the widget's background, which is drawn once."""
        ratio = self._widget.devicePixelRatioF()
        backdrop = self._widget.palette.color(qt.QPalette.Active, qt.QPalette.Base)
        drawing = past.key, ratio, backdrop.name()
        if drawing not in self._icons:
            shown = {each.key for each in self._past}
            self._icons = {each: icon for each, icon in self._icons.items() if each[0] in shown}
            pixmap = shadedPixmap(past.surface, GENERATED_COLOUR, backdrop, pixels=round(_PIXELS * ratio))
            pixmap.setDevicePixelRatio(ratio)
            self._icons[drawing] = qt.QIcon(pixmap)
        return self._icons[drawing]

    def _check(self) -> None:
        self._widget.visible = bool(self._past)
        for place, button in enumerate(self._buttons):
            button.checked = place < len(self._past) and self._past[place].key == self._current
