"""Section "Inspect": the thyroids of the scene in a table, to compare, plot and rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.reader_study.window import ReaderStudyWindow
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.scene.display.views import stand_on
from ThyroidSynthLib.slicer.scene.thyroids.collection import (
    RemovedThyroid,
    is_visible,
    remove_thyroid,
    restore_thyroid,
    set_visible,
    show_all,
    show_only,
)
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, colour_of, generated_thyroids

from .charts import Charts
from .comparing import Comparing
from .nearest import NearestShapes
from .thyroid_table import Row, ThyroidTable

if TYPE_CHECKING:
    from ThyroidSynthLib.model.code_space import CodeSpace
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord


class InspectSection(Section):
    """The table of thyroids, their comparison and their charts, all of which a running reader study hides."""

    uiFile = "Inspect.ui"

    def connect(self) -> None:
        """Connect the section's widgets."""
        self._removed: list[RemovedThyroid] = []
        self._space: tuple[str, CodeSpace] | None = None
        self._table = ThyroidTable(self.ui.thyroidTable)
        self._table.onChosen = self._onChosen
        self._table.onRenamed = self._onRenamed
        self._table.onShown = self._onShown
        self._table.onRecoloured = self._onRecoloured
        self._nearest = NearestShapes(self.session, self._fill)
        self._comparing = Comparing(self.session, self.ui, self.widget)
        self._charts = Charts(self.session, self.ui)
        self.study = ReaderStudyWindow(self.session, self._folder, self.widget)
        self.study.selectedThyroids = self._selected
        self.study.beforeStart = self._beforeStudy
        self.study.onChanged = self._onStudyChanged
        self.onStudyChanged: Callable[[], None] = lambda: None
        self.ui.studyButton.connect("clicked(bool)", lambda checked: self.study.open())
        self.ui.showAllButton.connect("clicked(bool)", self._onShowAll)
        self.ui.renameButton.connect("clicked(bool)", lambda checked: self._table.rename())
        self.ui.removeButton.connect("clicked(bool)", self._onRemove)
        self.ui.restoreButton.connect("clicked(bool)", self._onRestore)

    @property
    def borrowsDisplay(self) -> bool:
        """Whether thyroids are shown and hidden in turn, by a comparison or a reader study."""
        return self._comparing.flipping or self.study.running

    def refresh(self) -> None:
        """Update the widgets from the parameters."""
        blinded = self._comparing.blinded = self.study.running
        self.ui.inspectBody.visible = not blinded
        self.study.refresh()
        if not blinded:
            self._fill()
            self._comparing.refresh()
            self._charts.update()

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._nearest.describe(description)
        self._charts.describe(description)
        self.study.describe(description)
        if self.session.hasParameters:
            self._fill()

    def thyroidsChanged(self) -> None:
        """Update the table and the reader study."""
        self.refresh()
        self.study.thyroidsChanged()

    def beforeSave(self) -> None:
        """Show both thyroids of a comparison, and everything during a reader study."""
        self._comparing.pause()
        self._charts.pause()
        self.study.beforeSave()

    def afterSave(self) -> None:
        """Show one of them, or the shape of a reader study, again."""
        self._charts.resume()
        self._comparing.refresh()
        self.study.afterSave()

    def release(self) -> None:
        """Disconnect from the scene; the chart and the removed thyroids are dropped only when it closes."""
        self._comparing.endFlip()
        if not slicer.mrmlScene.IsClosing():
            self._comparing.pause()
        self._nearest.stop()
        self.study.release()
        if slicer.mrmlScene.IsClosing():
            self._charts.close()
            self._removed.clear()

    def close(self) -> None:
        """Release everything."""
        self._comparing.close()
        self._nearest.stop()
        self.study.close()

    def _fill(self) -> None:
        if not self.session.hasParameters or self.study.running:
            return
        nodes = generated_thyroids(slicer.mrmlScene)
        current = self.parameters.result
        self._table.fill([self._row(node) for node in nodes], current.GetID() if current is not None else "")
        hint = _("Click a row to show that thyroid alone and make it the current one.")
        self.ui.inspectHintLabel.text = hint if nodes else _("There are no thyroids yet.")
        for button in (self.ui.renameButton, self.ui.removeButton):
            enableOrExplain(button, "" if current is not None else _("Choose a thyroid in the table first."))
        enableOrExplain(self.ui.showAllButton, "" if nodes else _("There are no thyroids yet."))
        enableOrExplain(self.ui.restoreButton, "" if self._removed else _("No thyroid was removed."))
        # The current thyroid first, because the user is looking at it.
        self._nearest.follow(sorted(nodes, key=lambda node: node is not current))

    def _row(self, node) -> Row:
        record, nearest = read_record(node), self._nearest.of(node)
        return Row(
            node.GetID(),
            node.GetName(),
            record,
            nearest,
            self._distance(record),
            self._nearest.isFromOtherModel(node),
            is_visible(node),
            colour_of(node),
        )

    def _distance(self, record: ThyroidRecord | None) -> float | None:
        """Return the distance of a thyroid's code from the mean, which only steered thyroids have in their record."""
        if record is None:
            return None
        if record.distance is not None:
            return record.distance
        model = self.session.modelInMemory()
        if model is None or model.checksum != record.model:
            return None
        from ThyroidSynthLib.model.code_space import CodeSpace

        if self._space is None or self._space[0] != model.checksum:
            self._space = (model.checksum, CodeSpace.of(model))
        return self._space[1].distance(np.array(record.code))

    def _selected(self) -> list:
        nodes = (slicer.mrmlScene.GetNodeByID(nodeID) for nodeID in self._table.selected())
        return [node for node in nodes if node is not None]

    def _onChosen(self, nodeID: str) -> None:
        """Make a thyroid the current one, show it alone and move the slices there; cameras do not move."""
        node = slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None
        if node is None or not self.session.hasParameters or self.session.busy:
            return
        self._comparing.endFlip()
        show_only(slicer.mrmlScene, node)
        stand_on(node, SEGMENT_ID)
        if self.parameters.result is not node:
            self.parameters.result = node

    def _onRenamed(self, nodeID: str, name: str) -> None:
        node = slicer.mrmlScene.GetNodeByID(nodeID)
        if node is not None and name:
            node.SetName(name)
        self.session.announceThyroids()

    def _onShown(self, nodeID: str, visible: bool) -> None:
        node = slicer.mrmlScene.GetNodeByID(nodeID)
        if node is not None:
            self._comparing.endFlip()
            set_visible(node, visible)
        self.session.announceThyroids()

    def _onRecoloured(self, nodeID: str) -> None:
        node = slicer.mrmlScene.GetNodeByID(nodeID)
        segment = node.GetSegmentation().GetSegment(SEGMENT_ID) if node is not None else None
        if segment is None:
            return
        now = qt.QColor(*(round(255 * channel) for channel in segment.GetColor()))
        chosen = qt.QColorDialog.getColor(now, self.widget, _("Colour of '{name}'").format(name=node.GetName()))
        if chosen.isValid():
            segment.SetColor(chosen.redF(), chosen.greenF(), chosen.blueF())

    def _onShowAll(self, checked: bool = False) -> None:
        self._comparing.endFlip()
        show_all(slicer.mrmlScene)

    def _onRemove(self, checked: bool = False) -> None:
        """Remove the selected thyroids, or the current one; they can be restored until the scene is closed."""
        current = self.parameters.result
        nodes = self._selected()
        nodes = nodes if current in nodes else [current]
        self._comparing.end()
        with self.session.errorsShown():
            for node in nodes:
                self._removed.append(remove_thyroid(node))
            self.session.showStatus(
                _("Removed: {names}").format(names=", ".join(node.name for node in self._removed[-len(nodes) :]))
            )
        left = generated_thyroids(slicer.mrmlScene)
        if left:
            self._onChosen(left[-1].GetID())
        self.session.announceThyroids()

    def _onRestore(self, checked: bool = False) -> None:
        if self._removed:
            node = restore_thyroid(slicer.mrmlScene, self._removed.pop(), ct=self.parameters.ct)
            self._onChosen(node.GetID())
            self.session.announceThyroids()

    def _beforeStudy(self) -> None:
        """End what would unblind the reader of a study."""
        self._comparing.end()
        self._charts.close()

    def _onStudyChanged(self) -> None:
        self.refresh()
        self.onStudyChanged()
