"""Write the API reference from the public names of the library's packages when the site is built.

Replaces the marker ``<!-- api reference -->`` of a page: one section for the library and for each of its
packages whose ``__init__`` exports names in ``__all__``. So the page follows the library without being edited.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.pycode import ModuleAnalyzer

MARKER = "<!-- api reference -->"
LIBRARY = "ThyroidSynthLib"
# `slicer` can be imported in the application only; `cli` is described by a page of its own.
LEFT_OUT = ("slicer", "cli")


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", _fill_in)
    app.connect("doctree-read", _link_types)
    return {"parallel_read_safe": True}


def reference() -> str:
    """Return the Markdown source of all sections."""
    places = _places()
    return "\n".join(line for package in _packages() for line in _section(package, places))


def _fill_in(app: Any, docname: str, source: list[str]) -> None:
    if MARKER in source[0]:
        source[0] = source[0].replace(MARKER, reference())


def _packages() -> list[ModuleType]:
    library = importlib.import_module(LIBRARY)
    names = [each.name for each in pkgutil.walk_packages(library.__path__, f"{LIBRARY}.") if each.ispkg]
    packages = [importlib.import_module(name) for name in names if name.split(".")[1] not in LEFT_OUT]
    return [package for package in (library, *packages) if getattr(package, "__all__", ())]


def _places() -> dict[tuple[str, str], str]:
    """Return, for each public name of a package, the full name under which it is described.

    What several packages export is described once, in the section of the first of them.
    """
    places: dict[tuple[str, str], str] = {}
    described: dict[int, str] = {}
    for package in _packages():
        for name in package.__all__:
            full_name = f"{package.__name__}.{name}"
            places[package.__name__, name] = described.setdefault(id(getattr(package, name)), full_name)
    return places


def _section(package: ModuleType, places: dict[tuple[str, str], str]) -> Iterator[str]:
    yield f"## {package.__name__}\n"
    yield f"```{{eval-rst}}\n.. automodule:: {package.__name__}\n   :no-members:\n```\n"
    elsewhere = []
    for name in package.__all__:
        full_name = f"{package.__name__}.{name}"
        if places[package.__name__, name] == full_name:
            yield "```{eval-rst}\n" + _description(package, name) + "```\n"
        else:
            elsewhere.append(places[package.__name__, name])
    if elsewhere:
        links = ", ".join(f":py:obj:`~{place}`" for place in elsewhere)
        yield f"```{{eval-rst}}\nAlso exported, and described above: {links}.\n```\n"


def _description(package: ModuleType, name: str) -> str:
    described = getattr(package, name)
    full_name = f"{package.__name__}.{name}"
    if isinstance(described, type):
        return f".. autoclass:: {full_name}\n   :members:\n"
    if inspect.isroutine(described):
        return f".. autofunction:: {full_name}\n"
    # Autodoc would describe a constant by the docstring of its class.
    text = "\n".join(line and f"   {line}" for line in _docstring_of_constant(package, name))
    value = repr(described).replace("collections.abc.", "")
    return f".. py:data:: {full_name}\n   :value: {value}\n\n{text}\n"


def _docstring_of_constant(package: ModuleType, name: str) -> list[str]:
    """Return the string below the assignment in the module that defines the constant."""
    for module in [each for each in sys.modules if each.startswith(f"{package.__name__}.")]:
        if lines := ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name)):
            return lines
    return []


def _link_types(app: Any, doctree: nodes.document) -> None:
    """Link the types in docstrings to the public classes, and leave the other words of a type as text.

    Without this, Sphinx looks for objects named "shape" or "path" when a docstring says "array, shape (n, 3)".
    """
    places = _places()
    # The shape model of the package `model` is what the library's own docstrings mean; the API has its own.
    anywhere = {name: place for (package, name), place in places.items()}
    for reference_node in list(doctree.findall(pending_xref)):
        target = reference_node.get("reftarget", "")
        if reference_node.get("refdomain") != "py" or "." in target:
            continue
        place = places.get((reference_node.get("py:module", ""), target)) or anywhere.get(target)
        if place:
            reference_node["reftarget"] = place
        else:
            reference_node.replace_self(reference_node.children)
