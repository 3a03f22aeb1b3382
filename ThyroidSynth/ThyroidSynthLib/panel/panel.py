"""The panel: its sections in the order in which they are used, and how one tells another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer

from .edit import EditSection
from .export import ExportSection
from .generate import GenerateSection
from .inspect import InspectSection
from .model import ModelSection
from .patient import PatientSection
from .section import Section
from .session import Session
from .status import StatusSection
from .train import TrainSection

if TYPE_CHECKING:
    from ..learning.description import ModelDescription
    from .parameters import ThyroidSynthParameterNode


class Panel:
    """All widgets of the module.

    Parameters
    ----------
    folder : Path
        Where the .ui files are.
    requirements : Path
        The module's requirements file.

    Attributes
    ----------
    widget : qMRMLWidget
        The whole panel.
    sections : qMRMLWidget
        What waits while an operation runs.
    """

    def __init__(self, folder: Path, requirements: Path) -> None:
        self.widget = slicer.qMRMLWidget()
        self.widget.objectName = "ThyroidSynthPanel"
        self.sections = slicer.qMRMLWidget()
        self.status = StatusSection(folder)
        self.session = Session(self.status, self._setEnabled, requirements)
        self.patient = PatientSection(self.session, folder)
        self.model = ModelSection(self.session, folder)
        self.generate = GenerateSection(self.session, folder)
        self.edit = EditSection(self.session, folder)
        self.export = ExportSection(self.session, folder)
        self.inspect = InspectSection(self.session, folder)
        self.train = TrainSection(self.session, folder)
        self._stack(self.widget, self.status.widget, self.sections)
        self._stack(self.sections, *(section.widget for section in self._all))
        self.widget.layout().addStretch(1)
        self.model.onDescribed = self._onDescribed
        self.session.announceThyroids = self._announceSoon
        self._announcing = qt.QTimer()
        self._announcing.setSingleShot(True)
        self._announcing.setInterval(0)
        self._announcing.connect("timeout()", self._announce)
        self._sceneTag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved)
        self._setEnabled(False)

    @property
    def _all(self) -> tuple[Section, ...]:
        return self.patient, self.model, self.generate, self.edit, self.inspect, self.export, self.train

    @property
    def busy(self) -> bool:
        """Whether an operation runs."""
        return self.session.busy

    def cancel(self) -> None:
        """Ask the running operation to end."""
        self.session.cancel()

    def setParameters(self, parameters: ThyroidSynthParameterNode | None) -> None:
        """Follow other parameters, or none."""
        for section in self._all:
            section.release()
        self.session.parameters = parameters
        self._setEnabled(parameters is not None and not self.busy)
        self.refresh()
        if parameters is not None:
            self.patient.propose()

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        for section in self._all:
            if self.session.parameters is not None:
                section.refresh()
        if self.session.parameters is not None:
            self._hideFromReader()

    def _hideFromReader(self) -> None:
        """During a blinded study let nothing tell which case is which: names, features, pictures."""
        for section in (self.generate, self.edit, self.export):
            section.widget.visible = not self.inspect.study.running

    def close(self) -> None:
        """Let go of everything."""
        self.cancel()
        self._announcing.stop()
        slicer.mrmlScene.RemoveObserver(self._sceneTag)
        for section in self._all:
            section.close()

    def _onDescribed(self, description: ModelDescription | None) -> None:
        for section in self._all:
            section.describe(description)

    def _announceSoon(self) -> None:
        # Later, and once for many: a node that is being removed is still referred to.
        self._announcing.start()

    def _announce(self) -> None:
        for section in self._all:
            if self.session.parameters is not None:
                section.thyroidsChanged()

    def _onNodeRemoved(self, caller, event) -> None:
        if self.session.parameters is not None:
            self._announceSoon()

    def _setEnabled(self, enabled: bool) -> None:
        self.sections.enabled = enabled and self.session.parameters is not None

    @staticmethod
    def _stack(parent, *widgets) -> None:
        layout = qt.QVBoxLayout(parent)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            layout.addWidget(widget)
