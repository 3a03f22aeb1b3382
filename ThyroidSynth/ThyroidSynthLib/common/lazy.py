"""What is imported only when it is used: the public names of a package, and packages that few uses need."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any


def lazy_exports(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__all__`, `__getattr__` and `__dir__` for a package that imports none of its files by itself.

    This keeps Slicer's start fast, and the module opens without PyTorch.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    names : mapping of str to sequence of str
        For each file of the package (without suffix) the public names it defines.
    """
    if clash := set(names) & {name for public in names.values() for name in public}:
        # Python binds a file's own name in its package as soon as the file is imported.
        raise ValueError(f"{package}: {', '.join(sorted(clash))} is both a file and a public name. Rename one of them.")
    home = {name: file for file, public in names.items() for name in public}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return sorted(home), get, lambda: sorted({*vars(sys.modules[package]), *home})


def check_package(name: str, purpose: str, *, extra: str = "simulation") -> None:
    """Raise `InputError` if a package is not installed; parameters are those of `optional_package`.

    Commands check before they compute.
    """
    if find_spec(name) is None:
        # Here, because Slicer imports this file when it starts.
        from .errors import InputError

        raise InputError(
            f"{purpose} needs the package {name}, which is not installed. Install it: "
            f"pip install 'thyroidsynth[{extra}]'"
        )


def optional_package(name: str, purpose: str, *, extra: str = "simulation") -> Any:
    """Return a package that is imported only where it is used.

    Parameters
    ----------
    name : str
        Of the module, such as ``meshio``.
    purpose : str
        What it is needed for, as the subject of a sentence: "A mesh in .msh".
    extra : str
        The optional dependencies of this project that it is one of.

    Raises
    ------
    InputError
        It is not installed; the message states how to install it.
    """
    check_package(name, purpose, extra=extra)
    return importlib.import_module(name)
