"""Modal dialogs: none may open that the test did not expect; expected ones are answered at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from PySide6 import QtGui, QtWidgets

from .strictness import faults

_KINDS = {0: "message", 1: "info", 2: "warning", 3: "error", 4: "question"}


@dataclass(frozen=True)
class Shown:
    """A dialog that was shown: its kind (``error``, ``question``, ``file`` ...) and texts."""

    kind: str
    title: str
    text: str
    details: str = ""


@dataclass
class _Expected:
    kind: str
    pattern: str
    answer: object


@dataclass
class Dialogs:
    """Which dialogs were shown in a test, and which are still expected."""

    shown: list[Shown] = field(default_factory=list)
    _expected: list[_Expected] = field(default_factory=list)

    def expect(self, kind: str, pattern: str = "", answer: object = None) -> None:
        """Expect one dialog and say how the user answers it.

        Parameters
        ----------
        kind : {"info", "warning", "error", "question", "message", "dialog", "menu", "file", "input"}
        pattern : str
            Regular expression searched in title, text and details.
        answer : object
            A standard button for message boxes (default: Ok or the accepting one), a result code for
            dialogs, the chosen path for ``file`` (empty: cancelled), the text for ``input``.
        """
        self._expected.append(_Expected(kind, pattern, answer))

    def ask(self, shown: Shown, default: object, refusal: object) -> object:
        """Note that a dialog was shown and return its answer; unexpected ones are faults."""
        self.shown.append(shown)
        texts = f"{shown.title}\n{shown.text}\n{shown.details}"
        for expected in self._expected:
            if expected.kind == shown.kind and re.search(expected.pattern, texts):
                self._expected.remove(expected)
                return default if expected.answer is None else expected.answer
        faults.add("dialog", f"Unexpected {shown.kind}: {texts.strip()}")
        return refusal

    def clear(self) -> None:
        """Forget what was shown; a dialog that was expected and never came is a fault."""
        for expected in self._expected:
            faults.add("dialog", f"Expected {expected.kind} like {expected.pattern!r} was never shown.")
        self._expected.clear()
        self.shown.clear()


dialogs = Dialogs()

Button = QtWidgets.QMessageBox.StandardButton


def _exec_dialog(self, *_ignored):
    title, kind = str(self.windowTitle), "dialog"
    if isinstance(self, QtWidgets.QMessageBox):
        kind = _KINDS[int(self.icon)]
        offered = int(self.standardButtons)
        accepting = (Button.Ok, Button.Yes, Button.Retry, Button.Save)
        default = next((button for button in accepting if offered & int(button)), Button.Ok)
        shown = Shown(kind, title.strip(), str(self.text), str(self.detailedText))
        return dialogs.ask(shown, default, Button.Cancel)
    texts = [str(label.text) for label in self.findChildren(QtWidgets.QLabel)]
    accepted, rejected = QtWidgets.QDialog.DialogCode.Accepted, QtWidgets.QDialog.DialogCode.Rejected
    return dialogs.ask(Shown(kind, title, "\n".join(texts)), accepted, rejected)


def _exec_menu(self, *_ignored):
    texts = [str(action.text) for action in self.actions()]
    return dialogs.ask(Shown("menu", str(self.title), "\n".join(texts)), None, None)


def _message(kind: str):
    def show(parent, title: str, text: str, *_buttons):
        return dialogs.ask(Shown(kind, title, text), Button.Yes if kind == "question" else Button.Ok, Button.No)

    return staticmethod(show)


def _file(kind: str):
    def choose(parent=None, caption: str = "", directory: str = "", *_more):
        return str(dialogs.ask(Shown("file", caption, f"{kind} {directory}"), "", "") or "")

    return staticmethod(choose)


def _files(parent=None, caption: str = "", directory: str = "", *_more):
    return tuple(dialogs.ask(Shown("file", caption, f"open several {directory}"), (), ()) or ())


def _input(parent, title: str, label: str, *_more):
    return dialogs.ask(Shown("input", title, label), "", "")


def install() -> None:
    """Take over every modal dialog of Qt in this process."""
    for name in ("exec", "exec_"):
        setattr(QtWidgets.QDialog, name, _exec_dialog)
        setattr(QtWidgets.QMenu, name, _exec_menu)
    for kind, name in {"info": "information", "error": "critical"}.items():
        setattr(QtWidgets.QMessageBox, name, _message(kind))
    for name in ("warning", "question"):
        setattr(QtWidgets.QMessageBox, name, _message(name))
    QtWidgets.QFileDialog.getExistingDirectory = _file("folder")
    QtWidgets.QFileDialog.getOpenFileName = _file("open")
    QtWidgets.QFileDialog.getSaveFileName = _file("save")
    QtWidgets.QFileDialog.getOpenFileNames = staticmethod(_files)
    for name in ("getText", "getItem", "getInt", "getDouble"):
        setattr(QtWidgets.QInputDialog, name, staticmethod(_input))
    # Opening a browser or a file manager is an act on the user's desktop: seen and answered like a dialog.
    QtGui.QDesktopServices.openUrl = staticmethod(
        lambda url: bool(dialogs.ask(Shown("desktop", "", url.toString()), True, False))
    )
