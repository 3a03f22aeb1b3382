"""Keyboard shortcuts that also work in the views; with several panels open, one of them acts."""

from __future__ import annotations

from collections.abc import Callable

import qt

# All shortcuts, oldest first: Qt activates equal ones in turn.
_active: list[Shortcut] = []


class Shortcut:
    """A keyboard shortcut for a button.

    It works while its section is visible, but not in text fields. When several panels have the shortcut,
    the one with the keyboard focus acts, else one for which `begun` is true, else the newest.

    Parameters
    ----------
    key : str
        Such as "Ctrl+Z", which is Cmd+Z on macOS.
    act : callable
        Called for the key.
    ready : callable
        Returns whether `act` may be called now.
    begun : callable
        Returns whether the user has begun in this panel what the key continues.
    context : int
        Qt's context of the shortcut.
    """

    def __init__(
        self,
        key: str,
        section,
        *,
        act: Callable[[], None],
        ready: Callable[[], bool],
        begun: Callable[[], bool],
        context: int = qt.Qt.WindowShortcut,
    ) -> None:
        self._key, self._section = key, section
        self._act, self._ready, self._begun = act, ready, begun
        self._shortcut = qt.QShortcut(qt.QKeySequence(key), section)
        self._shortcut.setContext(context)
        self._shortcut.connect("activated()", self._onKey)
        self._shortcut.connect("activatedAmbiguously()", self._onKey)
        _active.append(self)

    def close(self) -> None:
        """Disable the shortcut."""
        self._shortcut.setEnabled(False)
        if self in _active:
            _active.remove(self)

    def _onKey(self) -> None:
        able = [each for each in _active if each._key == self._key and each._ready()]
        if able:
            max(able, key=lambda each: (each._hasFocus(), each._begun(), able.index(each)))._act()

    def _hasFocus(self) -> bool:
        """Check whether the keyboard focus is in the same panel."""
        window = self._section.window()
        focused = window.focusWidget()
        return window.isActiveWindow and focused is not None and self._section.parentWidget().isAncestorOf(focused)
