"""The panel: a bar, tabs in the order of use, and the notifications between their sections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.compare.section import InspectSection
from ThyroidSynthLib.slicer.panel.controls.tabs import Tabs, layOutAgainWhenOpened, openOneOf
from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.panel.controls.wheel import WheelGuard
from ThyroidSynthLib.slicer.panel.edit.section import EditSection
from ThyroidSynthLib.slicer.panel.export.section import ExportSection
from ThyroidSynthLib.slicer.panel.generate.section import GenerateSection
from ThyroidSynthLib.slicer.panel.generate.targets import besidesTargets
from ThyroidSynthLib.slicer.panel.models.section import ModelSection
from ThyroidSynthLib.slicer.panel.patient.section import PatientSection
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.panel.shared.session import Session
from ThyroidSynthLib.slicer.panel.training.section import TrainSection

from .bar import Bar
from .save_watch import SaveWatch
from .thyroid_watch import ThyroidWatch

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode


# While targets are being changed, the other sections are updated after a pause of this length.
_PAUSE_MS = 200


class Panel:
    """All widgets of the module.

    Parameters
    ----------
    folder : Path
        Folder of the .ui files.

    Attributes
    ----------
    widget : qMRMLWidget
        The whole panel: the bar, and the tabs, which are disabled while an operation runs.
    """

    def __init__(self, folder: Path) -> None:
        self.widget = slicer.qMRMLWidget()
        self.widget.objectName = "ThyroidSynthPanel"
        self.sections = slicer.qMRMLWidget()
        self.bar = Bar(folder)
        self.session = Session(self.bar.status, self._setEnabled)
        self.patient = PatientSection(self.session, folder)
        self.model = ModelSection(self.session, folder)
        self.generate = GenerateSection(self.session, folder)
        self.edit = EditSection(self.session, folder)
        self.export = ExportSection(self.session, folder)
        self.inspect = InspectSection(self.session, folder)
        self.train = TrainSection(self.session, folder)
        self.patient.isDisplayBorrowed = lambda: self.inspect.borrowsDisplay
        self.inspect.onStudyChanged = self._lockDuringStudy
        self.watch = ThyroidWatch(self.session)
        self._saving = SaveWatch(self._beforeSave, self._afterSave)
        self._stack(self.widget, self.bar.widget, self.sections)
        self.widget.layout().setStretch(1, 1)
        self.tabs = Tabs(self.sections)
        self._addTabs()
        self._stack(self.sections, self.tabs.widget)
        self.bar.acting = self._acting
        self.bar.isBusy = lambda: self.session.busy
        self.session.onFinished = self.bar.refreshSteps
        self.bar.onChanged = self._announceSoon
        self.generate.onSteps = self.edit.onSteps = self.bar.refreshSteps
        self.bar.onChosen = self._onCurrentChosen
        self.train.isOpen = lambda: self.tabs.current == "train"
        self.tabs.widget.connect("currentChanged(int)", lambda index: self.train.opened())
        self.patient.onSample = lambda: self.tabs.open("create")
        self.patient.onEdit = self._editOwn
        self._wheelGuard = WheelGuard(self.widget)
        self.model.onDescribed = self._onDescribed
        self.session.announceThyroids = self._announceSoon
        self._announcing = singleShotTimer(self._announce)
        self._choices: dict[str, object] | None = None
        self._refreshingRest = singleShotTimer(self._refreshRest, _PAUSE_MS)
        self._sceneTag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved)
        self._focused = None
        self._opened = False
        self._setEnabled(False)

    @property
    def _all(self) -> tuple[Section, ...]:
        return self.patient, self.model, self.generate, self.edit, self.inspect, self.export, self.train

    @property
    def _lastFirst(self) -> tuple[Section, ...]:
        """The sections in the order in which to take back what they changed of the same nodes' display.

        A comparison restores the patient's outline, which the section "Patient" then shows in 3D.
        """
        return self._all[::-1]

    def _addTabs(self) -> None:
        self.tabs.add("patient", _("&Patient"), _("Load a CT with its segmentation"), self.patient.widget)
        self.tabs.add(
            "create",
            _("&Create"),
            _("Generate new thyroids, or edit the patient's own"),
            self.model.widget,
            self.generate.widget,
            self.edit.widget,
        )
        self.tabs.add("compare", _("C&ompare"), _("Compare, plot and rate thyroids"), self.inspect.widget)
        self.tabs.add("export", _("E&xport"), _("Write label maps and surfaces"), self.export.widget)
        self.tabs.add("train", _("&Train"), _("Train a shape model"), self.train.widget)
        self.model.ui.modelCollapsible.collapsed = True
        openOneOf(self.generate.ui.generateCollapsible, self.edit.ui.editCollapsible)
        layOutAgainWhenOpened(self.widget)

    def _acting(self) -> GenerateSection | EditSection | None:
        """Return the section that changes the current thyroid: Edit for the one that is being edited, else Generate."""
        if not self.session.hasParameters:
            return None
        current = self.session.parameters.result
        return self.edit if current is not None and current is self.session.parameters.edited else self.generate

    def _editOwn(self) -> None:
        self.tabs.open("create")
        self.edit.ui.editCollapsible.collapsed = False
        self.edit.fit()

    def _onCurrentChosen(self, node) -> None:
        self.session.parameters.result = node

    @property
    def busy(self) -> bool:
        """Whether an operation runs."""
        return self.session.busy

    def cancel(self) -> None:
        """Ask the running operation to end."""
        self.session.cancel()

    def setParameters(self, parameters: ThyroidSynthParameterNode | None) -> None:
        """Show the parameters of a scene; None disables the sections."""
        for section in self._lastFirst:
            section.release()
        self.watch.release()
        self.session.setParameters(parameters)
        self._choices = None
        self._refreshingRest.stop()
        self._setEnabled(parameters is not None and not self.busy)
        self.refresh()
        if parameters is not None:
            self.watch.follow()
            self._saving.follow()
            self.patient.propose()
            self._openFirstTab()

    def _openFirstTab(self) -> None:
        """Open the tab Patient until there is one, then Create; once, because the user chooses the tab after that."""
        if not self._opened:
            self._opened = True
            self.tabs.open("create" if self.session.parameters.segmentation is not None else "patient")

    def refresh(self) -> None:
        """Update the widgets; if only targets have changed, the other sections are updated after a pause."""
        choices = besidesTargets(self.session.parameters) if self.session.hasParameters else None
        onlyTargets = choices is not None and choices == self._choices
        self._choices = choices
        if onlyTargets:
            self.generate.refresh()
            self._refreshingRest.start()
        else:
            self._refresh(self._all)

    def _refreshRest(self) -> None:
        self._refresh(tuple(section for section in self._all if section is not self.generate))

    def _refresh(self, sections: tuple[Section, ...]) -> None:
        for section in sections:
            if self.session.hasParameters:
                section.refresh()
        if self.session.hasParameters:
            self._lockDuringStudy()
        self.bar.refresh()

    def _lockDuringStudy(self) -> None:
        """Lock tabs with names, features or pictures during a reader study, which would unblind the reader."""
        running = self.inspect.study.running
        self.bar.widget.visible = not running
        if running:
            self.tabs.open("compare")
            self.tabs.allowOnly("compare")
        else:
            self.tabs.allowAll()

    def close(self) -> None:
        """Release everything."""
        self.cancel()
        self._announcing.stop()
        self.watch.release()
        self._saving.close()
        self._refreshingRest.stop()
        slicer.mrmlScene.RemoveObserver(self._sceneTag)
        self.bar.close()
        for section in self._all:
            section.close()

    def _beforeSave(self) -> None:
        for section in self._lastFirst:
            if self.session.hasParameters:
                section.beforeSave()

    def _afterSave(self) -> None:
        for section in self._all:
            if self.session.hasParameters:
                section.afterSave()

    def _onDescribed(self, description: ModelDescription | None) -> None:
        for section in self._all:
            section.describe(description)

    def _announceSoon(self) -> None:
        # Delayed, because a node that is being removed is still referenced, and so that many changes cause one update.
        self._announcing.start()

    def _announce(self) -> None:
        if self.session.hasParameters:
            self.watch.follow()
            self._saving.follow()
        for section in self._all:
            if self.session.hasParameters:
                section.thyroidsChanged()
        self.bar.refresh()

    def _onNodeRemoved(self, caller, event) -> None:
        if self.session.hasParameters:
            self._announceSoon()

    def _setEnabled(self, enabled: bool) -> None:
        """Enable or disable the sections; the keyboard focus is restored."""
        if not enabled:
            focused = self.sections.focusWidget()
            # Qt removes the focus from disabled widgets and does not restore it.
            self._focused = focused if focused is not None and focused.focus else self._focused
        self.sections.enabled = enabled and self.session.hasParameters
        self.bar.refreshSteps()
        if self.sections.enabled and self._focused is not None:
            if self.widget.window().focusWidget() is None and self._focused.enabled:
                self._focused.setFocus()
            self._focused = None

    @staticmethod
    def _stack(parent, *widgets) -> None:
        layout = qt.QVBoxLayout(parent)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            layout.addWidget(widget)
