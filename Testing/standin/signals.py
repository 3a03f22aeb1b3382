"""``connect("signal(type)", function)`` as PythonQt has it.

A signature must exist exactly; a function written in Python gets as many arguments as it declares;
what it raises is printed by the application and goes no further (here: a fault).
"""

from __future__ import annotations

import contextlib
import re
import types
from collections.abc import Callable
from inspect import CO_VARARGS

from PySide6 import QtCore

from .responsiveness import stopwatch
from .strictness import faults

# Newer than Qt 5.15, with which Slicer 5.12 may be built.
QT6_ONLY = frozenset({"checkStateChanged", "accessibleIdentifier"})

_VTK_POINTER = re.compile(r"\bvtk\w+\*")


class SignatureError(AssertionError):
    """A signal was named that the real class does not have."""


def normalized(signature: str) -> str:
    """Return the signature as Qt's meta objects spell it."""
    return bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()


def in_python(signature: str) -> str:
    """Return a native signature with VTK pointers replaced by what a Python-made signal carries."""
    return _VTK_POINTER.sub("PyObject", signature)


def native_vtk_signatures(cls: type) -> set[str]:
    """Signals and slots with VTK arguments that a stand-in class declares, as in its C++ header."""
    return {normalized(each) for base in cls.__mro__ for each in vars(base).get("VTK_SIGNATURES", ())}


def accepted_arguments(function: Callable) -> int | None:
    """Number of arguments PythonQt passes on; None for all of them.

    Only plain functions and bound methods are looked at, by their code object: a decorated function is
    judged by its wrapper, anything else (partial, built-in, callable object) gets every argument.
    """
    bound = isinstance(function, types.MethodType)
    code = getattr(function.__func__ if bound else function, "__code__", None)
    if not isinstance(function, (types.FunctionType, types.MethodType)) or code is None:
        return None
    if code.co_flags & CO_VARARGS:
        return None
    return code.co_argcount - bound


class _Connection:
    def __init__(self, sender, signature: str, function: Callable, signal, argument_count: int) -> None:
        self.signature, self.function, self._signal = signature, function, signal
        accepted = accepted_arguments(function)
        passed = argument_count if accepted is None else min(accepted, argument_count)
        what = f"{getattr(function, '__qualname__', function)} on {signature}"

        def slot(*arguments) -> None:
            try:
                with stopwatch.slot(what):
                    function(*arguments[:passed])
            except Exception as error:
                faults.add_exception(f"slot of {signature}", error)

        self._slot = slot
        signal.connect(slot)

    def end(self) -> None:
        self._signal.disconnect(self._slot)


def _signal_of(sender: QtCore.QObject, signature: str):
    """Return the Qt signal, its normalized native signature and its number of arguments."""
    native = normalized(signature)
    kind = QtCore.QObject.metaObject(sender)
    if native.partition("(")[0] in QT6_ONLY:
        raise SignatureError(f"{signature!r} needs Qt 6; Slicer may be built with Qt 5.15.")
    if "PyObject" in native:
        raise SignatureError(f"{signature!r} names a Python object; use the signature of the C++ header.")
    if _VTK_POINTER.search(native) and native not in native_vtk_signatures(type(sender)):
        raise SignatureError(f"{kind.className()} has no signal {signature!r}.")
    index = kind.indexOfSignal(in_python(native))
    if index < 0:
        raise SignatureError(f"{kind.className()} has no signal {signature!r}.")
    method = kind.method(index)
    name = bytes(method.name()).decode()
    overload = in_python(native)[len(name) + 1 : -1]
    signal = getattr(sender, name)._signal
    with contextlib.suppress(IndexError, KeyError):  # a signal that is not overloaded has no such key
        signal = signal[overload] if overload else signal
    return signal, native, method.parameterCount()


def _connections(sender) -> list[_Connection]:
    return sender.__dict__.setdefault("_standin_connections", [])


def connect(sender: QtCore.QObject, signature: str, function: Callable) -> bool:
    """Connect a callable to ``"signal(types)"``.

    Raises
    ------
    SignatureError
        If the class has no such signal (PythonQt only prints a warning and returns False).
    TypeError
        If ``function`` cannot be called.
    """
    if not callable(function):
        raise TypeError(f"connect({signature!r}): {function!r} is not callable.")
    signal, native, count = _signal_of(sender, signature)
    _connections(sender).append(_Connection(sender, native, function, signal, count))
    return True


def disconnect(sender: QtCore.QObject, signature: str, function: Callable | None = None) -> bool:
    """Undo :func:`connect`; returns whether there was such a connection."""
    native = _signal_of(sender, signature)[1]
    ended = [
        each
        for each in _connections(sender)
        if each.signature == native and (function is None or each.function == function)
    ]
    for connection in ended:
        connection.end()
        _connections(sender).remove(connection)
    return bool(ended)


class BoundSignal:
    """``widget.signal``: ``connect(function)``, ``disconnect(function)``; calling it emits."""

    def __init__(self, sender: QtCore.QObject, name: str, signal) -> None:
        self._sender, self._name, self._signal = sender, name, signal

    def _native(self) -> str:
        kind = QtCore.QObject.metaObject(self._sender)
        for index in range(kind.methodCount()):
            method = kind.method(index)
            is_signal = method.methodType() == QtCore.QMetaMethod.MethodType.Signal
            if is_signal and bytes(method.name()).decode() == self._name:
                python_made = bytes(method.methodSignature()).decode()
                declared = native_vtk_signatures(type(self._sender))
                return next((each for each in declared if in_python(each) == python_made), python_made)
        raise SignatureError(f"{kind.className()} has no signal {self._name!r}.")

    def connect(self, function: Callable) -> bool:
        """Connect to the first signature of this name, as PythonQt does."""
        return connect(self._sender, self._native(), function)

    def disconnect(self, function: Callable | None = None) -> bool:
        """Undo :meth:`connect`."""
        return disconnect(self._sender, self._native(), function)

    def emit(self, *arguments) -> None:
        """Emit the signal."""
        self._signal.emit(*arguments)

    __call__ = emit

    def __getitem__(self, overload):
        return self._signal[overload]
