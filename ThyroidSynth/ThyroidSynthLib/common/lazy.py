"""Public names of a package, imported only when they are used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
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
