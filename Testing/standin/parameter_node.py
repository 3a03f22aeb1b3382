"""``slicer.parameterNodeWrapper``: typed access to a real ``vtkMRMLScriptedModuleNode``."""

from __future__ import annotations

import logging
import typing
import weakref
from collections.abc import Callable

import slicer
import slicer.util
import vtk
from PySide6 import QtCore, QtWidgets

from . import parameter_types as kinds
from .parameter_gui import Connector, connector_for
from .parameter_storage import Storage, split_annotations, storage_for
from .strictness import faults

SlicerParameterNamePropertyName = "SlicerParameterName"


class _Field:
    """One declared parameter."""

    def __init__(self, name: str, datatype, declaring: type) -> None:
        self.name, self.datatype = name, datatype
        _, annotations = split_annotations(datatype)
        self.storage: Storage = storage_for(datatype)
        defaults = [each for each in annotations if isinstance(each, kinds.Default)]
        if len(defaults) > 1:
            raise ValueError(f"Multiple defaults found for {name}")
        unused = [each for each in annotations if not isinstance(each, (kinds.Validator, kinds.Default))]
        if name in vars(declaring):
            self.default = kinds.Default(vars(declaring)[name])
            unused += defaults
        else:
            self.default = defaults[0] if defaults else kinds.Default(self.storage.default())
        if unused:
            logging.warning("Unused annotations: %s", unused)


class _Value:
    """The value of one parameter in one node, read again whenever the node changes."""

    def __init__(self, field: _Field, node, name: str) -> None:
        self._storage, self._node, self._name = field.storage, node, name
        self.cached = field.storage.cacheable
        self._writing = False
        self._default = field.default
        self._tag: int | None = None
        self._value = self._fetch()
        this = weakref.ref(self)
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: this() and this()._on_modified())

    def __del__(self) -> None:
        if self._tag is not None:
            self._node.RemoveObserver(self._tag)

    def _fetch(self):
        """Read; what is missing (new node, scene closed) becomes the default, checked like any value."""
        if not self._storage.has(self._node, self._name):
            self._storage.write(self._node, self._name, self._default.value)
        return self._storage.read(self._node, self._name)

    def _on_modified(self) -> None:
        if not self._writing:
            self._value = self._fetch()

    def read(self):
        return self._value if self.cached else self._fetch()

    def write(self, value) -> None:
        self._writing = True
        try:
            with slicer.util.NodeModify(self._node):
                self._storage.write(self._node, self._name, value)
                self._value = self._storage.read(self._node, self._name)
        finally:
            self._writing = False


class _Gui:
    """Widgets connected to the parameters of one wrapper."""

    def __init__(self, wrapper, connectors: dict[str, Connector]) -> None:
        self._wrapper, self._connectors = weakref.ref(wrapper), connectors
        for name, connector in connectors.items():
            connector.write(wrapper.getValue(name))
            connector.connect(self._on_widget(name, connector))
        self._tag = wrapper.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._update())

    def _on_widget(self, name: str, connector: Connector) -> Callable[[], None]:
        def on_changed() -> None:
            wrapper = self._wrapper()
            with slicer.util.NodeModify(wrapper):
                if not wrapper._updating_gui:
                    wrapper.setValue(name, connector.read())

        return on_changed

    def _update(self) -> None:
        wrapper = self._wrapper()
        if wrapper is None or wrapper._updating_gui:
            return
        wrapper._updating_gui = True
        try:
            with slicer.util.NodeModify(wrapper):
                for gui in wrapper._guis.values():
                    for name, connector in gui._connectors.items():
                        connector.write(wrapper.getValue(name))
        finally:
            wrapper._updating_gui = False

    def end(self) -> None:
        for connector in self._connectors.values():
            connector.disconnect()
        self._wrapper().RemoveObserver(self._tag)


class _Wrapper:
    """What every parameter node wrapper can do beside its own parameters."""

    allParameters: typing.ClassVar[dict[str, _Field]] = {}
    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode, prefix: str | None = None) -> None:
        self.parameterNode = parameterNode
        self._guis: dict[int, _Gui] = {}
        self._next_tag = 0
        self._updating_gui = False
        self._values = {
            name: _Value(field, parameterNode, f"{prefix or ''}{name}") for name, field in self.allParameters.items()
        }

    @classmethod
    def _check_name(cls, name: str) -> None:
        if name not in cls.allParameters:
            known = ", ".join(cls.allParameters)
            raise ValueError(f"Cannot find a param with the given name: {name}. Found parameters: {known}")

    def default(self, name: str) -> kinds.Default:
        self._check_name(name)
        return self.allParameters[name].default

    def isCached(self, name: str) -> bool:
        self._check_name(name)
        return self._values[name].cached

    @classmethod
    def dataType(cls, name: str):
        cls._check_name(name)
        return cls.allParameters[name].datatype

    def getValue(self, name: str):
        self._check_name(name)
        return self._values[name].read()

    def setValue(self, name: str, value) -> None:
        self._check_name(name)
        self._values[name].write(value)

    def connectGui(self, gui) -> int:
        """Connect all widgets that carry ``SlicerParameterName``; returns a tag."""
        if isinstance(gui, QtWidgets.QWidget):
            widgets = gui.findChildren(QtWidgets.QWidget)
        else:
            widgets = [each for each in vars(gui).values() if isinstance(each, QtCore.QObject)]
        mapping = {}
        for widget in widgets:
            name = widget.property(SlicerParameterNamePropertyName)
            if name:
                if name in mapping:
                    # Slicer would silently connect only one of them.
                    faults.add("connectGui", f"Two widgets carry the parameter name '{name}'.")
                mapping[name] = widget
        return self.connectParametersToGui(mapping)

    def connectParametersToGui(self, mapping: dict) -> int:
        for name in mapping:
            self._check_name(name)
        connectors = {
            name: each if isinstance(each, Connector) else connector_for(each, self.dataType(name))
            for name, each in mapping.items()
        }
        tag = self._next_tag
        self._next_tag += 1
        self._guis[tag] = _Gui(self, connectors)
        return tag

    def disconnectGui(self, tag: int) -> None:
        if tag in self._guis:
            self._guis.pop(tag).end()

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying):
        return self.parameterNode.EndModify(was_modifying)

    def AddObserver(self, event, callback, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()


def _property(name: str) -> property:
    return property(lambda self: self._values[name].read(), lambda self, value: self._values[name].write(value))


def _wrap(declared: type) -> type:
    hints = typing.get_type_hints(declared, include_extras=True)
    fields = {}
    for name, datatype in hints.items():
        if hasattr(_Wrapper, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        try:
            fields[name] = _Field(name, datatype, declared)
        except Exception as error:
            raise TypeError(f"Unable to create serializer for {declared} member {name}") from error
    for name in vars(declared):
        if not name.startswith("__") and name not in fields and name in vars(_Wrapper):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
    for name, value in vars(_Wrapper).items():
        if name not in ("__dict__", "__weakref__", "__doc__", "__module__", "__annotations__"):
            setattr(declared, name, value)
    declared.allParameters = fields
    for name in fields:
        setattr(declared, name, _property(name))
    return declared


def parameterNodeWrapper(classtype: type | None = None):
    """Class decorator, with or without brackets."""
    return _wrap if classtype is None else _wrap(classtype)


def isParameterNodeWrapper(class_or_object) -> bool:
    """Return whether a class or object is a parameter node wrapper."""
    return getattr(class_or_object, "_is_parameter_node_wrapper", False)


def install(make_module: Callable) -> None:
    """Make the module ``slicer.parameterNodeWrapper``."""
    make_module(
        "slicer.parameterNodeWrapper",
        parameterNodeWrapper=parameterNodeWrapper,
        isParameterNodeWrapper=isParameterNodeWrapper,
        SlicerParameterNamePropertyName=SlicerParameterNamePropertyName,
        Default=kinds.Default,
        Decimals=kinds.Decimals,
        SingleStep=kinds.SingleStep,
        FloatRange=kinds.FloatRange,
        **{validator.__name__: validator for validator in kinds.VALIDATORS},
    )
