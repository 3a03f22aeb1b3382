"""Packages that a plain installation does not have, because few uses need them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .errors import InputError


def check_package(name: str, purpose: str, *, extra: str = "simulation") -> None:
    """Raise `InputError` if a package is not installed; parameters are those of `optional_package`.

    Commands check before they compute.
    """
    if find_spec(name) is None:
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
    return import_module(name)
