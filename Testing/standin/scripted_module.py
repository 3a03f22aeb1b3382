"""Scripted modules: the base classes of ``slicer.ScriptedLoadableModule`` and their C++ parents."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import types
import unittest
from pathlib import Path

import slicer
import slicer.util
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property

from . import packaging_record, parameter_node, pythonqt, sample_data
from .properties import stored
from .strictness import faults
from .widgets_mrml import qSlicerWidget


class ScriptedLoadableModule:
    """Describes a module; ``self.parent`` is the C++ module."""

    def __init__(self, parent) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = []
        parent.helpText = ""
        parent.acknowledgementText = ""
        for suffix in (".svg", ".png"):
            icon = Path(self.resourcePath(f"Icons/{self.moduleName}{suffix}"))
            if icon.is_file():
                parent.icon = QtGui.QIcon(str(icon))
                break
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage=None) -> str:
        url = slicer.app.moduleDocumentationUrl(self.moduleName)
        return f'<p>For more information, see the <a href="{url}">online documentation</a>.</p>'

    def runTest(self, msec: int = 100, **keywords) -> None:
        test_class = getattr(importlib.import_module(type(self).__module__), f"{self.moduleName}Test", None)
        if test_class is None:
            raise AssertionError(f"Test case class not found: {self.moduleName}Test")
        test_case = test_class()
        test_case.messageDelay = msec
        test_case.runTest(**keywords)


class ScriptedLoadableModuleWidget:
    """Panel of a module; ``self.parent`` is its C++ widget."""

    def __init__(self, parent=None) -> None:
        super().__init__()
        name = type(self).__name__
        self.moduleName = name[: -len("Widget")] if name.endswith("Widget") else name
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        if parent is None:
            self.parent = slicer.qMRMLWidget()
            self.parent.setLayout(QtWidgets.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        else:
            self.parent = parent
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Make the widgets; the developer section of Slicer is not stood in."""

    def cleanup(self) -> None:
        """Let go of everything; called when the module is reloaded or unloaded."""

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)

    def onTest(self, **keywords) -> None:
        slicer.selfTests[self.moduleName](**keywords)


class ScriptedLoadableModuleLogic:
    """Computations of a module and its parameter node in the scene."""

    def __init__(self, parent=None) -> None:
        super().__init__()
        name = type(self).__name__
        self.moduleName = name[: -len("Logic")] if name.endswith("Logic") else name
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node is not None:
                # Closing the scene resets a singleton node, and this attribute with it.
                if node.GetAttribute("ModuleName") != self.moduleName:
                    node.SetAttribute("ModuleName", self.moduleName)
                return node
        elif self.getAllParameterNodes():
            return self.getAllParameterNodes()[0]
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """In-app test of a module."""

    def __init__(self, *arguments, **keywords) -> None:
        self.moduleTestNames: list[str] = []
        super().__init__(*arguments, **keywords)
        self.enableScreenshots = False
        if not self.moduleTestNames:
            self.moduleTestNames = [name for name in dir(self) if "test" in name and callable(getattr(self, name))]

    def delayDisplay(self, message: str, requestedDelay=None, msec=None) -> None:
        logging.info(message)
        slicer.app.processEvents()

    def runTest(self) -> None:
        """Overridden by the module."""


class qSlicerScriptedLoadableModule(QtCore.QObject):
    """C++ parent of a :class:`ScriptedLoadableModule`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._widget = path, None
        self._name = path.stem

    def logic(self):
        return None

    def mrmlScene(self):
        return slicer.mrmlScene

    def widgetRepresentation(self):
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self):
        widget = qSlicerScriptedLoadableModuleWidget()
        widget._set_source(self._path)
        widget._set_up()
        # In Slicer, too, the scene comes after setup(): a panel must stand having none before.
        widget.setMRMLScene(slicer.mrmlScene)
        return widget

    name = Property(str, lambda self: self._name, constant=True)
    path = Property(str, lambda self: str(self._path), constant=True)
    title = stored(str, "")
    categories = stored("QStringList", ())
    contributors = stored("QStringList", ())
    associatedNodeTypes = stored("QStringList", ())
    dependencies = stored("QStringList", ())
    helpText = stored(str, "")
    acknowledgementText = stored(str, "")
    extensions = stored("QVariantMap", None)
    icon = stored(QtGui.QIcon, None)
    hidden = stored(bool, False)
    index = stored(int, -1)


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """C++ parent of a :class:`ScriptedLoadableModuleWidget`; what Python raises goes no further."""

    def __init__(self, parent=None) -> None:
        super().__init__(*([parent] if parent is not None else []))
        self._python, self._path, self._entered = None, None, False
        QtWidgets.QVBoxLayout(self)

    def _set_source(self, path: Path) -> None:
        self._path = path
        class_name = f"{path.stem}Widget"
        module = sys.modules[path.stem]
        try:
            self._python = getattr(module, class_name)(self)
        except Exception as error:
            faults.add_exception(class_name, error)
            return
        setattr(slicer.modules, class_name, self._python)

    def _call(self, name: str) -> None:
        method = getattr(self._python, name, None)
        if method is not None:
            try:
                method()
            except Exception as error:
                faults.add_exception(f"{type(self._python).__name__}.{name}", error)

    def _set_up(self) -> None:
        self._call("setup")

    def self(self):
        return self._python

    def reload(self) -> None:
        self._set_source(self._path)
        self._set_up()

    def enter(self) -> None:
        self._entered = True
        self._call("enter")

    def exit(self) -> None:
        self._entered = False
        self._call("exit")

    moduleName = Property(str, lambda self: self._path.stem if self._path else "")
    isEntered = Property(bool, lambda self: self._entered)


def load_source(name: str, path: Path) -> types.ModuleType:
    """Load a module's file under its own name, from its own folder, as Slicer does."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _translate(context: str, text: str) -> str:
    return slicer.app.translate(context, text)


def _tr(text: str) -> str:
    return text


def _module(name: str, **contents) -> None:
    module = types.ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module
    holder, _, last = name.rpartition(".")
    if holder:
        setattr(sys.modules[holder], last, module)


def install() -> None:
    """Make ``slicer.ScriptedLoadableModule`` and the other Python parts that the wheel lacks."""
    bases = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    )
    names = {base.__name__: base for base in bases}
    _module("slicer.ScriptedLoadableModule", **names, __all__=list(names))
    _module("slicer.i18n", tr=_tr, translate=_translate)
    for cls in (qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget):
        pythonqt.register_standin(cls)
        setattr(slicer, cls.__name__, cls)
    packaging_record.install(_module)
    sample_data.install(_module)
    parameter_node.install(_module)
