"""The models that are installed with the library, and their names."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".safetensors"
SHIPPED_MODELS = Path(__file__).resolve().parent / "data"
"""The folder of the models that are installed with the library."""


def model_path(name: Path | str) -> Path:
    """Return a path, or that of the shipped model with this name, such as "example", if there is no such file."""
    path = Path(name)
    shipped = SHIPPED_MODELS / f"{path}{SUFFIX}"
    return shipped if len(path.parts) == 1 and not path.is_file() and shipped.is_file() else path
