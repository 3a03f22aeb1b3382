"""PySide6 made to behave like PythonQt, and the ``qt`` module of Slicer made from it.

What PythonQt forbids is forbidden here: calling a property, setting an attribute that does not exist
on a C++ object, keyword arguments in constructors, numbers that are no Python numbers in properties.
Where PythonQt converts silently (a float for an int, anything for a string) this is stricter.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import types

if "PySide6" in sys.modules and os.environ.get("PYSIDE6_OPTION_PYTHON_ENUM") != "0x02":
    raise RuntimeError("PySide6 was imported before the stand-in: its enumerators are no integers then.")
os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "0x02"  # IntEnum and IntFlag, as enumerators in PythonQt

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets

from . import signals

QObject = QtCore.QObject

_NEEDS_QT6 = "{}.{} needs Qt 6; Slicer may be built with Qt 5.15."
# Names of PySide6 that the `qt` module of Slicer does not have.
PYSIDE_ONLY = frozenset({"Signal", "Slot", "Property", "SignalInstance", "QEnum", "QFlag", "ClassInfo"})

_own_reading: dict[type, types.WrapperDescriptorType] = {}
_being_read: set[tuple[int, str]] = set()
_STANDIN_CLASSES: dict[str, type] = {}
_ui_is_loading: list[bool] = []


def from_qt(value):
    """Return a value as PythonQt hands it out: lists are tuples."""
    if isinstance(value, list):
        return tuple(from_qt(each) for each in value)
    return value


class _Method:
    """A C++ method of one object; what it returns goes through :func:`from_qt`."""

    __slots__ = ("__wrapped__",)

    def __init__(self, method) -> None:
        self.__wrapped__ = method

    def __call__(self, *arguments, **keywords):
        return from_qt(self.__wrapped__(*arguments, **keywords))

    def __getattr__(self, name: str):
        return getattr(self.__wrapped__, name)

    def __eq__(self, other) -> bool:
        return self.__wrapped__ == getattr(other, "__wrapped__", other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def is_standin(cls: type) -> bool:
    """Return whether a class stands in for a C++ class of Slicer or CTK."""
    return _STANDIN_CLASSES.get(cls.__name__) is cls


def _is_native(cls: type) -> bool:
    return cls.__module__.startswith("PySide6") or is_standin(cls)


@contextlib.contextmanager
def loading_ui():
    """Let PySide6 load a .ui file."""
    _ui_is_loading.append(True)
    try:
        yield
    finally:
        _ui_is_loading.pop()


def _get_plainly(obj: QObject, name: str):
    """Read an attribute the way the class of PySide6 did before it was changed.

    Some classes bring a slot of their own for this, without which a method that is static and not static
    at once (``QFile.exists``) is called without its object.
    """
    for cls in type(obj).__mro__:
        if cls in _own_reading:
            return _own_reading[cls](obj, name)
    return object.__getattribute__(obj, name)


def _property(obj: QObject, name: str) -> QtCore.QMetaProperty | None:
    kind = QObject.metaObject(obj)
    index = kind.indexOfProperty(name)
    return kind.property(index) if index >= 0 else None


def _read_attribute(self, name: str):
    if name[0] == "_":
        return _get_plainly(self, name)
    if name == "connect":
        return types.MethodType(signals.connect, self)
    if name == "disconnect":
        return types.MethodType(signals.disconnect, self)
    if name in signals.QT6_ONLY:
        raise AttributeError(_NEEDS_QT6.format(type(self).__name__, name))
    # Qt may ask for the Python override of a virtual function (sizeHint) while its property is read.
    key = (id(self), name)
    if key not in _being_read and QObject.metaObject(self).indexOfProperty(name) >= 0:
        _being_read.add(key)
        try:
            return from_qt(QObject.property(self, name))
        finally:
            _being_read.discard(key)
    value = _get_plainly(self, name)
    if isinstance(value, QtCore.SignalInstance):
        return signals.BoundSignal(self, name, value)
    if isinstance(value, types.BuiltinMethodType):
        return _Method(value)
    return value


def _read_missing_attribute(self, name: str):
    """Fall back on dynamic properties, then on a child of that name, as PythonQt does."""
    if name == "name":
        return QObject.property(self, "objectName")
    if name in signals.QT6_ONLY:
        raise AttributeError(_NEEDS_QT6.format(type(self).__name__, name))
    if not name.startswith("_") and shiboken6.isValid(self):
        if name.encode() in [bytes(each) for each in QObject.dynamicPropertyNames(self)]:
            return from_qt(QObject.property(self, name))
        for child in QObject.children(self):
            if QObject.property(child, "objectName") == name:
                return child
    raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")


_NUMBERS = {"int": (int,), "uint": (int,), "double": (float, int), "float": (float, int), "bool": (bool, int)}


def to_property(value, target: QtCore.QMetaProperty):
    """Check and convert a value that is to be written to a property.

    Raises
    ------
    ValueError
        If the property does not take the value. NumPy's integers and 32 bit floats are refused, as they
        are in PythonQt; its 64 bit float is a Python float.
    """
    kind = target.typeName()
    accepted = True
    if target.isEnumType() or target.isFlagType():
        accepted = isinstance(value, int)
        value = int(value) if accepted else value
    elif kind in _NUMBERS:
        accepted = isinstance(value, _NUMBERS[kind])
    elif kind == "QString":
        accepted = isinstance(value, str)
    elif kind in ("QStringList", "QVariantList"):
        accepted = isinstance(value, (list, tuple))
        if accepted and kind == "QStringList":
            accepted = all(isinstance(each, str) for each in value)
        value = list(value) if accepted else value
    if not accepted:
        raise ValueError(
            f"Property '{target.name()}' of type '{kind}' does not accept an object of type "
            f"{type(value).__name__} ({value!r})"
        )
    return value


def _set_plainly(obj: QObject, name: str, value) -> None:
    """Set an attribute as on any Python object."""
    descriptor = getattr(type(obj), name, None)
    if isinstance(descriptor, property):
        descriptor.__set__(obj, value)
    else:
        obj.__dict__[name] = value


def _write_attribute(self, name: str, value) -> None:
    if _ui_is_loading and isinstance(value, QObject) and QObject.property(value, "objectName") == name:
        return  # PySide6 would make every widget of a .ui file an attribute of the top one; PythonQt does not
    if isinstance(value, QtCore.SignalInstance):
        _set_plainly(self, name, value)  # PySide6 itself keeps a signal that is used for the first time
        return
    target = _property(self, name)
    if target is not None:
        if not target.isWritable():
            raise AttributeError(f"Property '{name}' of {type(self).__name__} is not writable")
        if not QObject.setProperty(self, name, to_property(value, target)):
            raise ValueError(f"Property '{name}' of type '{target.typeName()}' does not accept {value!r}")
    elif name.startswith("_standin") or not _is_native(type(self)) or (name[0] == "_" and _is_own(self)):
        _set_plainly(self, name, value)
    elif name == "name":
        QObject.setObjectName(self, to_property(value, _property(self, "objectName")))
    elif name.encode() in [bytes(each) for each in QObject.dynamicPropertyNames(self)]:
        QObject.setProperty(self, name, value)
    elif hasattr(type(self), name):
        raise AttributeError(f"Slot '{name}' can not be overwritten on {type(self).__name__}")
    else:
        raise AttributeError(
            f"Attribute '{name}' does not exist on {type(self).__name__} and creation of new attributes on "
            "C++ objects is not allowed"
        )


def _is_own(obj) -> bool:
    return is_standin(type(obj))


def _without_keywords(cls: type) -> None:
    original = cls.__init__

    def __init__(self, *arguments, **keywords):
        if keywords and _is_native(type(self)):
            raise TypeError(f"{cls.__name__}: keyword arguments in constructors are PySide6, not PythonQt.")
        original(self, *arguments, **keywords)

    cls.__init__ = __init__


def register_standin(*classes: type) -> None:
    """Declare classes to stand in for C++ classes: no new attributes from outside."""
    for cls in classes:
        _STANDIN_CLASSES[cls.__name__] = cls


def standin_class(name: str) -> type | None:
    """Return the stand-in of that C++ class, or None."""
    return _STANDIN_CLASSES.get(name)


def standin_classes() -> tuple[type, ...]:
    """All classes that stand in for C++ classes."""
    return tuple(_STANDIN_CLASSES.values())


def _two_argument_value(self, key, default=None):
    return QtCore.QSettings._standin_value(self, key, default)


def _keep_constants() -> None:
    """Add references to None, True and False, which are immortal since Python 3.12, the version of Slicer.

    PySide6 takes them for immortal: each call that returns nothing takes one from None, each signal that is emitted
    with True one from True. After some thousands of them Python ends ("deallocating True or False").
    """
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def install() -> types.ModuleType:
    """Change PySide6 in this process to behave like PythonQt and install it as the module ``qt``."""
    if "qt" in sys.modules:
        return sys.modules["qt"]
    _keep_constants()
    QObject.className = lambda self: QObject.metaObject(self).className()
    QObject.delete = lambda self: shiboken6.delete(self)
    qt = types.ModuleType("qt", "Qt as PythonQt shows it")
    qobject_classes = []
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):  # PySide6 fills its modules at first use
            if name.startswith("_") or name in PYSIDE_ONLY:
                continue
            value = getattr(module, name)
            setattr(qt, name, value)
            if isinstance(value, type) and issubclass(value, QObject):
                qobject_classes.append(value)
    # All originals first: a class that has no slot of its own would else hand out the changed one.
    _own_reading.update((cls, cls.__getattribute__) for cls in qobject_classes)
    for cls in qobject_classes:
        # Each class of PySide6 brings its own slots for this: changing QObject is not enough.
        cls.__getattribute__ = _read_attribute
        cls.__getattr__ = _read_missing_attribute
        cls.__setattr__ = _write_attribute
        if issubclass(cls, (QtWidgets.QWidget, QtGui.QAction)):
            _without_keywords(cls)
    QtCore.QSettings._standin_value = QtCore.QSettings.value
    QtCore.QSettings.value = _two_argument_value
    sys.modules["qt"] = qt
    return qt
