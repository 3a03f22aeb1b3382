"""Tensors and a JSON description in one safetensors file, the format of models and checkpoints.

safetensors holds raw arrays and JSON only, so that opening a file from elsewhere cannot run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ThyroidSynthLib.common.errors import ModelError, OutputError
from ThyroidSynthLib.common.files import atomic_path


def save_tensors(path: Path | str, tensors: Mapping[str, torch.Tensor], description: Mapping[str, Any]) -> None:
    """Write tensors and a JSON description, replacing `path` in one step; `OutputError` if that fails."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    header = {"thyroidsynth": json.dumps(description, ensure_ascii=False, allow_nan=False)}
    arrays = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, header)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path} cannot be written ({error}). Choose a writable folder with room.") from error


def load_tensors(path: Path | str, *, kind: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a file that `save_tensors` wrote with a "kind", such as "model", in its description.

    `ModelError` if the file is missing, damaged, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if path.is_dir():
        raise ModelError(f"{path} is a folder. Choose a {kind} file in it.")
    if not path.is_file():
        raise ModelError(f"{path} does not exist. Check the path.")
    try:
        with safe_open(str(path), framework="pt") as stream:
            header = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 not a mapping
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged or not a safetensors file ({error}). Copy or train it again.") from error
    try:
        description = json.loads(header["thyroidsynth"])
    except (KeyError, json.JSONDecodeError):
        raise ModelError(f"{path} was not written by ThyroidSynth. Choose a ThyroidSynth {kind} file.") from None
    found = description.get("kind") if isinstance(description, dict) else None
    if found != kind:
        raise ModelError(f"{path} is a {found} file, not a {kind} file. Choose a {kind} file.")
    return tensors, description


def with_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors with a prefix before each name."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors whose name begins with a prefix, by the rest of the name."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
