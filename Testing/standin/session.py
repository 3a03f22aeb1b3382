"""What a test holds in its hands: the running application, its records, and ways to use it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer

from . import application, pictures, sample_data, scene
from .dialogs import Dialogs, dialogs
from .packaging_record import Installations, installations
from .scripted_module import load_source, qSlicerScriptedLoadableModule
from .strictness import Faults, faults
from .views import SliceView, ThreeDView

VIEW_LABELS = {"Red": "axial", "Green": "coronal", "Yellow": "sagittal", "1": "3D"}


@dataclass
class LoadedModule:
    """A scripted module that was loaded from its file.

    Attributes
    ----------
    name : str
        File name without ``.py``; also the name of the module's class.
    python : module
        The Python module.
    module : qSlicerScriptedLoadableModule
        The C++ parent of the module's description.
    """

    name: str
    python: object
    module: qSlicerScriptedLoadableModule

    @property
    def panel(self):
        """The C++ widget that holds the panel; made (``setup``) at first use."""
        return self.module.widgetRepresentation()

    @property
    def widget(self):
        """The module's own Python widget object."""
        return self.panel.self()

    def select(self) -> None:
        """Go to the module as a user does: ``setup`` once, then ``enter``."""
        _ = self.panel
        slicer.util.selectModule(self.name)

    def leave(self) -> None:
        """Go to no module: ``exit``."""
        slicer.util.selectModule("")

    def reload(self) -> None:
        """Reload the source as the developer's button does."""
        self.python = slicer.util.reloadScriptedModule(self.name)

    def close(self) -> None:
        """Leave and unload the module: ``exit``, ``cleanup``; its widgets are deleted."""
        self.leave()
        panel = self.module._widget
        slicer.app.moduleManager()._remove(self.name)
        if panel is not None:
            panel.delete()
        self.module._widget = None
        sys.modules.pop(self.name, None)


@dataclass
class Session:
    """The application in one test."""

    app: application.qSlicerApplication
    faults: Faults = field(default_factory=lambda: faults)
    dialogs: Dialogs = field(default_factory=lambda: dialogs)
    installations: Installations = field(default_factory=lambda: installations)
    modules: list[LoadedModule] = field(default_factory=list)

    @property
    def scene(self):
        """The MRML scene."""
        return self.app.mrmlScene()

    def load_module(self, path: str | Path) -> LoadedModule:
        """Load a scripted module from its file.

        Raises
        ------
        AssertionError
            If the file has no class of its own name.
        """
        path = Path(path).resolve()
        name = path.stem
        python = load_source(name, path)
        if not hasattr(python, name):
            raise AssertionError(f"class {name} was not found in file {path}")
        module = qSlicerScriptedLoadableModule(path)
        setattr(slicer.modules, f"{name}Instance", getattr(python, name)(module))
        self.app.moduleManager()._add(module)
        setup = getattr(slicer.modules, f"{name}Instance")
        if hasattr(setup, "setup"):
            setup.setup()
        loaded = LoadedModule(name, python, module)
        self.modules.append(loaded)
        self.app.startupCompleted.emit()
        return loaded

    def process_events(self, rounds: int = 3) -> None:
        """Let queued events and timers that are due happen."""
        for _ in range(rounds):
            self.app.processEvents()

    def view(self, name: str) -> SliceView | ThreeDView:
        """Return a view: ``Red`` (axial), ``Green`` (coronal), ``Yellow`` (sagittal) or ``1`` (3D)."""
        return self.app.layoutManager()._view(name)

    def four_views(self, title: str = "") -> np.ndarray:
        """Picture of axial, 3D, coronal and sagittal views, (height, width, 3) uint8."""
        order = ("Red", "1", "Green", "Yellow")
        return pictures.four_up({VIEW_LABELS[name]: self.view(name).grab() for name in order}, title)

    def screenshot(self, loaded: LoadedModule, title: str, path: str | Path) -> Path:
        """Write a picture of the module's panel beside the four views."""
        panel = pictures.of_widget(loaded.panel)
        return pictures.save(pictures.beside(panel, self.four_views(title)), path)

    def close(self) -> None:
        """Unload the test's modules and empty the scene, the settings and the records."""
        for loaded in reversed(self.modules):
            if self.app.moduleManager().module(loaded.name) is not None:
                loaded.close()
        self.modules.clear()
        self.process_events()
        self.app.layoutManager()._reset()
        scene.clear(self.app._started)
        self.app.settings().clear()
        self.installations.clear()
        sample_data.clear()
        self.dialogs.clear()
        self.process_events()


def open_session() -> Session:
    """Start the application, if it does not run yet, and return it with empty records."""
    session = Session(application.start())
    session.faults.clear()
    return session
