"""The models that are installed with the library, and their names."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".safetensors"
SHIPPED_MODELS = Path(__file__).resolve().parent / "data"
"""The folder of the models that are installed with the library."""


def model_path(name: Path | str) -> Path:
    """Return a path, or that of the shipped model with this name, such as "example", if there is no such file."""
    path = Path(name)
    shipped = SHIPPED_MODELS / f"{path}{SUFFIX}"
    # `os.path` reports no error for a name that no file can have.
    alone = len(path.parts) == 1 and not os.path.isfile(path)  # noqa: PTH113
    return shipped if alone and os.path.isfile(shipped) else path  # noqa: PTH113
