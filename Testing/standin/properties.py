"""Helpers to write the properties of stand-in widgets."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Property


def stored(kind: type | str, default, changed: Callable | None = None, key: str = "") -> Property:
    """Make a property that only keeps its value.

    Parameters
    ----------
    kind : type or str
        Type of the property; a string is a C++ type.
    default : object
        Value before the first writing.
    changed : callable, optional
        Called with the widget after a different value was written.
    key : str, optional
        Name of the attribute that holds the value; one of its own when left out.
    """
    attribute = key or f"_stored_{id(changed)}_{len(_made)}"
    _made.append(attribute)

    def read(widget):
        return widget.__dict__.get(attribute, default)

    def write(widget, value) -> None:
        if value != read(widget):
            setattr(widget, attribute, value)
            if changed is not None:
                changed(widget)

    return Property(kind, read, write)


def inner(kind: type | str, owner: str, name: str) -> Property:
    """Make a property that is the property ``name`` of the inner widget kept in attribute ``owner``."""

    def read(widget):
        return getattr(widget.__dict__[owner], name)

    def write(widget, value) -> None:
        setattr(widget.__dict__[owner], name, value)

    return Property(kind, read, write)


_made: list[str] = []
