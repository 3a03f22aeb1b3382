"""``slicer.app``, ``slicer.modules``, ``slicer.mrmlScene``: the application object of the stand-in."""

from __future__ import annotations

import platform
import sys
import tempfile
import types
from pathlib import Path

from . import pythonqt, strictness

_qt = pythonqt.install()

import slicer  # noqa: E402
import slicer.util  # noqa: E402
from PySide6 import QtCore, QtWidgets  # noqa: E402
from PySide6.QtCore import Property, Signal, Slot  # noqa: E402

from . import dialogs, scene, ui_loader  # noqa: E402
from .io_manager import CoreIOManager  # noqa: E402
from .layout import LayoutManager  # noqa: E402
from .node_selector import qMRMLNodeComboBox  # noqa: E402
from .responsiveness import stopwatch  # noqa: E402
from .widgets_ctk import CTK_WIDGETS  # noqa: E402
from .widgets_mrml import MRML_WIDGETS  # noqa: E402
from .widgets_numbers import NUMBER_WIDGETS  # noqa: E402
from .widgets_segments import SEGMENT_WIDGETS  # noqa: E402

VERSION = (5, 12, 4)


def _constant(kind, value) -> Property:
    return Property(kind, lambda _self: value, constant=True)


class ModuleManager(QtCore.QObject):
    """``qSlicerModuleManager``."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, QtCore.QObject] = {}

    def module(self, name: str):
        return self._modules.get(name)

    def modulesNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def factoryManager(self):
        return types.SimpleNamespace(loadedModuleNames=self.modulesNames)

    def _add(self, module: QtCore.QObject) -> None:
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)
        setattr(slicer.moduleNames, module.name, module.name)
        self.moduleLoaded.emit(module.name)

    def _remove(self, name: str) -> None:
        self.moduleAboutToBeUnloaded.emit(name)
        del self._modules[name]
        for holder, attribute in (
            (slicer.modules, name.lower()),
            (slicer.modules, f"{name}Instance"),
            (slicer.modules, f"{name}Widget"),
            (slicer.moduleNames, name),
        ):
            if hasattr(holder, attribute):
                delattr(holder, attribute)


class qSlicerCoreModule(QtCore.QObject):
    """A module of the application itself: it has a logic, but no widget in the stand-in."""

    def __init__(self, name: str, logic) -> None:
        super().__init__()
        self._name, self._logic = name, logic

    def logic(self):
        return self._logic

    def mrmlScene(self):
        return slicer.mrmlScene

    name = Property(str, lambda self: self._name, constant=True)
    title = Property(str, lambda self: self._name, constant=True)


class ModuleSelector(QtCore.QObject):
    """``qSlicerModuleSelectorToolBar`` of the main window."""

    moduleSelected = Signal(str)

    def __init__(self, manager: ModuleManager) -> None:
        super().__init__()
        self._manager, self._selected = manager, ""

    @Slot(str)
    def selectModule(self, name: str) -> None:
        if name == self._selected:
            return
        for leaving, entering in ((self._selected, False), (name, True)):
            widget = getattr(self._manager.module(leaving), "widgetRepresentation", lambda: None)()
            if widget is not None:
                (widget.enter if entering else widget.exit)()
        self._selected = name
        self.moduleSelected.emit(name)

    selectedModule = Property(str, lambda self: self._selected)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """Main window: status bar and module selector."""

    def __init__(self, manager: ModuleManager) -> None:
        super().__init__()
        self.objectName = "qSlicerMainWindow"
        self._selector = ModuleSelector(manager)
        self.statusBar()

    def moduleSelector(self) -> ModuleSelector:
        return self._selector


class qSlicerApplication(QtWidgets.QApplication):
    """``slicer.app`` as far as modules use it."""

    mrmlSceneChanged = Signal(object)
    startupCompleted = Signal()

    def __init__(self, folder: Path) -> None:
        super().__init__([sys.argv[0] if sys.argv else "Slicer"])
        self._folder = folder
        self._paused = 0
        self._testing = False
        self.applicationName = "Slicer"
        self.organizationName = "Slicer"
        self.applicationVersion = ".".join(map(str, VERSION))
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        for scope in (QtCore.QSettings.UserScope, QtCore.QSettings.SystemScope):
            QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, scope, str(folder / "settings"))
        self._settings = QtCore.QSettings()
        self._modules = ModuleManager()

    def _start(self) -> None:
        self._started = scene.start(self._folder)
        self._layout_manager = LayoutManager(self._started.scene, self._started.application_logic)
        self._started.baseline = strictness.node_ids(self._started.scene)
        self._io_manager = CoreIOManager(self._started.scene, self._started.logics)
        self._window = qSlicerMainWindow(self._modules)

    def mrmlScene(self):
        return self._started.scene

    def applicationLogic(self):
        return self._started.application_logic

    def moduleLogic(self, name: str):
        return self._started.application_logic.GetModuleLogic(name)

    def moduleManager(self) -> ModuleManager:
        return self._modules

    def layoutManager(self) -> LayoutManager:
        return self._layout_manager

    def coreIOManager(self) -> CoreIOManager:
        return self._io_manager

    ioManager = coreIOManager

    def settings(self) -> QtCore.QSettings:
        return self._settings

    userSettings = settings
    revisionUserSettings = settings

    def testingEnabled(self) -> bool:
        return self._testing

    def pythonConsole(self) -> None:
        return None

    def errorLogModel(self) -> None:
        return None

    def commandOptions(self):
        return types.SimpleNamespace(testingEnabled=self._testing, noMainWindow=False, disableSettings=False)

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/v5.12/user_guide/modules/{name.lower()}.html"

    @staticmethod
    def processEvents(*flags) -> None:
        with stopwatch.turn():
            QtWidgets.QApplication.processEvents(*flags)

    @Slot()
    def pauseRender(self) -> None:
        self._paused += 1

    @Slot()
    def resumeRender(self) -> None:
        if not self._paused:
            strictness.faults.add("slicer.app", "resumeRender() without pauseRender()")
        self._paused = max(self._paused - 1, 0)

    @Slot(bool)
    def setRenderPaused(self, paused: bool) -> None:
        (self.pauseRender if paused else self.resumeRender)()

    @Slot()
    def restart(self) -> None:
        strictness.faults.add("slicer.app", "restart() was called")

    @Slot(result="QStringList")
    def recentLogFiles(self) -> tuple[str, ...]:
        return (self.currentLogFile(),)

    @Slot(result=str)
    def currentLogFile(self) -> str:
        return str(self._folder / "Slicer.log")

    def openSettingsDialog(self, panel: str = "") -> None:
        strictness.faults.add("slicer.app", f"openSettingsDialog({panel!r}): the stand-in has no settings")

    temporaryPath = Property(str, lambda self: str(self._folder))
    cachePath = Property(str, lambda self: str(self._folder))
    slicerHome = Property(str, lambda self: str(self._folder))
    slicerUserSettingsFilePath = Property(str, lambda self: self._settings.fileName())
    extensionsInstallPath = Property(str, lambda self: str(self._folder / "extensions"))
    majorVersion = _constant(int, VERSION[0])
    minorVersion = _constant(int, VERSION[1])
    mainApplicationName = _constant(str, "Slicer")
    mainApplicationDisplayName = _constant(str, "3D Slicer")
    mainApplicationMajorVersion = _constant(int, VERSION[0])
    mainApplicationMinorVersion = _constant(int, VERSION[1])
    mainApplicationPatchVersion = _constant(int, VERSION[2])
    revision = _constant(str, "0")
    repositoryRevision = _constant(str, "0")
    releaseType = _constant(str, "Stable")
    isInstalled = _constant(bool, True)
    os = _constant(str, {"Linux": "linux", "Darwin": "macosx", "Windows": "win"}.get(platform.system(), ""))
    arch = _constant(str, "amd64")
    platform = _constant(str, "linux-amd64")
    documentationBaseUrl = _constant(str, "https://slicer.readthedocs.io/en/v5.12/")
    applicationLocaleName = _constant(str, "en_US")


def _install_widgets() -> None:
    ctk = types.ModuleType("ctk", "CTK widgets of the stand-in")
    for cls in (*CTK_WIDGETS, *NUMBER_WIDGETS, *MRML_WIDGETS, qMRMLNodeComboBox, *SEGMENT_WIDGETS):
        pythonqt.register_standin(cls)
        setattr(ctk if cls.__name__.startswith("ctk") else slicer, cls.__name__, cls)
    for cls in (ModuleManager, qSlicerCoreModule, ModuleSelector, qSlicerMainWindow, qSlicerApplication):
        pythonqt.register_standin(cls)

    def missing(name: str):
        raise AttributeError(f"The stand-in has no ctk.{name}.")

    ctk.__getattr__ = missing
    sys.modules["ctk"] = ctk
    _qt.QUiLoader = ui_loader.StrictUiLoader


def _own_namespaces() -> None:
    """Make ``slicer.modules`` and undo that the wheel shows ``slicer.util``'s names on ``slicer``."""
    for name in vars(slicer.util).copy():
        if not name.startswith("__") and getattr(slicer, name, None) is vars(slicer.util)[name]:
            delattr(slicer, name)
    for name in ("modules", "moduleNames"):
        module = types.ModuleType(f"slicer.{name}")
        setattr(slicer, name, module)
        sys.modules[f"slicer.{name}"] = module


def start() -> qSlicerApplication:
    """Start the one application of this process, or return it when it runs already."""
    if getattr(slicer, "app", None) is not None:
        return slicer.app
    strictness.watch_python()
    strictness.watch_vtk()
    _own_namespaces()
    _install_widgets()
    dialogs.install()
    slicer.app = qSlicerApplication(Path(tempfile.mkdtemp(prefix="standin-")))
    strictness.watch_qt()
    slicer.app._start()
    slicer.mrmlScene = slicer.app.mrmlScene()
    for name, logic in slicer.app._started.logics.items():
        slicer.app._modules._add(qSlicerCoreModule(name, logic))
    from . import scripted_module

    scripted_module.install()
    strictness.start_faults = strictness.faults.take()
    return slicer.app
