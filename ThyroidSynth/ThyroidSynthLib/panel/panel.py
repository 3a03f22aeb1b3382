"""The panel: its sections in the order in which they are used, and how one tells another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer

from .generate import GenerateSection
from .inputs import InputsSection
from .loading import LoadSection
from .model import ModelSection
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
        self.load = LoadSection(self.session, folder)
        self.inputs = InputsSection(self.session, folder)
        self.model = ModelSection(self.session, folder)
        self.generate = GenerateSection(self.session, folder)
        self.train = TrainSection(self.session, folder)
        self._stack(self.widget, self.status.widget, self.sections)
        self._stack(self.sections, *(section.widget for section in self._all))
        self.widget.layout().addStretch(1)
        self.load.onLoaded = self.inputs.take
        self.model.onDescribed = self._onDescribed
        self.generate.onGenerated = self.inputs.showOwnGland
        self._setEnabled(False)

    @property
    def _all(self) -> tuple[Section, ...]:
        return self.load, self.inputs, self.model, self.generate, self.train

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

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        for section in self._all:
            if self.session.parameters is not None:
                section.refresh()

    def close(self) -> None:
        """Let go of everything."""
        self.cancel()
        for section in self._all:
            section.close()

    def _onDescribed(self, description: ModelDescription | None) -> None:
        self.inputs.describe(description)
        self.generate.describe(description)

    def _setEnabled(self, enabled: bool) -> None:
        self.sections.enabled = enabled and self.session.parameters is not None

    @staticmethod
    def _stack(parent, *widgets) -> None:
        layout = qt.QVBoxLayout(parent)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            layout.addWidget(widget)
