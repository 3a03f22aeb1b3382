"""Keys of the panel that are heard in the views too; of several panels that are open, one acts."""

from __future__ import annotations

from collections.abc import Callable

import qt

# All that listen, oldest first: Qt gives a key that several have to each of them in turn.
_listening: list[Shortcut] = []


class Shortcut:
    """A key that does what a button does.

    It listens while its section is shown. Text fields keep their own keys. Where several panels have the
    key, one that has the keyboard acts, else one that is in the middle of it, else the newest.

    Parameters
    ----------
    key : str
        As "Ctrl+Z"; Qt makes it Cmd+Z on a Mac.
    section : qMRMLWidget
        The section of the panel.
    act : callable
        What the key does.
    ready : callable
        Whether it may do that now.
    begun : callable
        Whether this panel is in the middle of what the key goes on with.
    context : int
        Of Qt: in which windows the key is heard.
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
        _listening.append(self)

    def close(self) -> None:
        """Listen no more."""
        self._shortcut.setEnabled(False)
        if self in _listening:
            _listening.remove(self)

    def _onKey(self) -> None:
        able = [each for each in _listening if each._key == self._key and each._ready()]
        if able:
            max(able, key=lambda each: (each._hasKeyboard(), each._begun(), able.index(each)))._act()

    def _hasKeyboard(self) -> bool:
        """Say whether the keyboard's focus is in the same panel."""
        window = self._section.window()
        focused = window.focusWidget()
        return window.isActiveWindow and focused is not None and self._section.parentWidget().isAncestorOf(focused)
