"""``qt.QUiLoader`` that refuses what Slicer would load wrongly.

The application replaces an unknown custom widget by its base class and prints a warning; an unknown
property or connection is only a warning as well. Here each of these fails.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import pythonqt, signals
from .strictness import faults


class UiError(RuntimeError):
    """A .ui file holds something that Slicer does not have."""


def _check(root: ElementTree.Element) -> None:
    for declared in root.iter("customwidget"):
        name = declared.findtext("class", "")
        if pythonqt.standin_class(name) is None:
            raise UiError(f"The .ui file uses {name}; there is no stand-in for it.")
    custom = {declared.findtext("class", "") for declared in root.iter("customwidget")}
    names: set[str] = set()
    for widget in root.iter("widget"):
        kind, name = widget.get("class", ""), widget.get("name", "")
        if pythonqt.standin_class(kind) is not None and kind not in custom:
            raise UiError(f"{kind} '{name}' is not listed under <customwidgets>.")
        if name in names:
            raise UiError(f"Two widgets are named '{name}'.")
        names.add(name)


def _flags_as_numbers(text: str) -> str:
    """Write flags of stand-in classes as numbers: Qt does not know the enumerators of Python classes."""

    def number(found: re.Match) -> str:
        flags = 0
        for flag in found.group(1).split("|"):
            kind, _, name = flag.strip().partition("::")
            cls = pythonqt.standin_class(kind)
            if cls is None:
                return found.group(0)
            if not isinstance(getattr(cls, name, None), int):
                raise UiError(f"{kind} has no flag {name}.")
            flags |= getattr(cls, name)
        return f"<number>{flags}</number>"

    return re.sub(r"<set>([^<]*)</set>", number, text)


def _check_properties(root: ElementTree.Element, top: QtCore.QObject) -> None:
    for declared in root.iter("widget"):
        name = declared.get("name", "")
        widget = top if top.objectName == name else top.findChild(QtCore.QObject, name)
        if widget is None:
            raise UiError(f"Widget '{name}' of the .ui file was not made.")
        kind = widget.metaObject()
        if kind.className() != declared.get("class") and declared.get("class") != "Line":
            raise UiError(f"'{name}' was made as {kind.className()}, not as {declared.get('class')}.")
        for each in declared.findall("property"):
            if each.get("name") == "buddy" and isinstance(widget, QtWidgets.QLabel):
                _check_buddy(widget, each.findtext("cstring", ""))
                continue
            known = kind.indexOfProperty(each.get("name", "")) >= 0
            if not known and each.get("stdset") != "0":
                raise UiError(f"{kind.className()} '{name}' has no property '{each.get('name')}'.")


def _check_buddy(label: QtWidgets.QLabel, name: str) -> None:
    """A label's buddy is no property of Qt's; the loader of .ui files makes it, or passes over a wrong name."""
    if label.buddy() is None or label.buddy().objectName != name:
        raise UiError(f"The buddy '{name}' of the label '{label.objectName}' does not exist.")


def _check_connection(sender, receiver, signal: str, slot: str) -> None:
    for owner, signature, method_type in ((sender, signal, "signal"), (receiver, slot, "slot")):
        native, kind = signals.normalized(signature), owner.metaObject()
        declared = "vtk" not in native or native in signals.native_vtk_signatures(type(owner))
        method = kind.method(max(kind.indexOfMethod(signals.in_python(native)), 0))
        found = kind.indexOfMethod(signals.in_python(native)) >= 0
        is_signal = method.methodType() == QtCore.QMetaMethod.MethodType.Signal
        if not (declared and found and (is_signal or method_type == "slot")):
            raise UiError(f"{kind.className()} has no {method_type} {signature}.")


class StrictUiLoader(QtUiTools.QUiLoader):
    """Loads a .ui file; every class, property and connection in it must exist in Slicer."""

    def load(self, device: QtCore.QIODevice, parent=None):
        """Make the widgets of a .ui file.

        Raises
        ------
        UiError
            If the file holds something the real application does not have.
        """
        text = bytes(device.readAll().data()).decode()
        device.close()
        root = ElementTree.fromstring(text)
        _check(root)
        # Each registration takes milliseconds: only of those that the file names.
        for name in {widget.get("class") for widget in root.iter("widget")}:
            cls = pythonqt.standin_class(name)
            if cls is not None:
                self.registerCustomWidget(cls)
        buffer = QtCore.QBuffer()
        buffer.setData(signals.in_python(_flags_as_numbers(text)).encode())
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        before = len(faults.seen)
        with pythonqt.loading_ui():
            top = QtUiTools.QUiLoader.load(self, buffer, parent)
        if top is None or len(faults.seen) > before:
            raise UiError(f"Qt could not load the .ui file: {self.errorString()} {faults.seen[before:]}")
        _check_properties(root, top)
        for each in root.iter("connection"):
            ends = []
            for end in (each.findtext("sender", ""), each.findtext("receiver", "")):
                found = top if top.objectName == end else top.findChild(QtCore.QObject, end)
                if found is None:
                    raise UiError(f"A connection of the .ui file names '{end}', which does not exist.")
                ends.append(found)
            _check_connection(*ends, each.findtext("signal", ""), each.findtext("slot", ""))
        return top
