"""Write the API reference from the public names of the library's packages when the site is built.

Replaces the marker ``<!-- api reference -->`` of a page: one section for the library and for each of its
packages whose ``__init__`` exports names in ``__all__``. So the page follows the library without being edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

MARKER = "<!-- api reference -->"
LIBRARY = "ThyroidSynthLib"
# They can be imported in the application only, or are described by a page of their own.
LEFT_OUT = ("scene", "panel", "slicer", "cli")


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True}


def reference() -> str:
    """Return the Markdown source of all sections."""
    return "\n".join(line for package in _packages() for line in _section(package))


def _fill_in(app: Any, docname: str, source: list[str]) -> None:
    if MARKER in source[0]:
        source[0] = source[0].replace(MARKER, reference())


def _packages() -> Iterator[ModuleType]:
    library = importlib.import_module(LIBRARY)
    names = [each.name for each in pkgutil.walk_packages(library.__path__, f"{LIBRARY}.") if each.ispkg]
    for package in (library, *map(importlib.import_module, (name for name in names if not _is_left_out(name)))):
        if getattr(package, "__all__", ()):
            yield package


def _is_left_out(name: str) -> bool:
    return name.split(".")[1] in LEFT_OUT


def _section(package: ModuleType) -> Iterator[str]:
    yield f"## {package.__name__}\n"
    yield f"```{{eval-rst}}\n.. automodule:: {package.__name__}\n   :no-members:\n```\n"
    for name in package.__all__:
        described = getattr(package, name)
        kind = "autoclass" if isinstance(described, type) else "autofunction" if callable(described) else "autodata"
        members = "   :members:\n" if kind == "autoclass" else ""
        yield f"```{{eval-rst}}\n.. {kind}:: {package.__name__}.{name}\n{members}```\n"
