"""Checkpoint files of PyTorch and Lightning: a ZIP archive with a pickle, and the numbers of each tensor beside it."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.common.reading import checked_file

from .pickle_data import Call, Name, Stored, data_of_pickle

_DTYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MOST_NUMBERS = 1 << 28
_LARGEST_FILE = 16 << 30


@dataclass(frozen=True)
class Tensor:
    """A tensor whose numbers have not been read: its storage, the index of its first number, its shape and strides."""

    storage: str
    kind: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint.

    Attributes
    ----------
    path : Path
    content : mapping
        What was saved: numbers, texts, lists and dictionaries; `Call` for other objects.
    """

    path: Path
    content: Mapping[str, Any]
    _folder: str
    _order: str

    def tensors(self, entries: Mapping[Any, Any]) -> dict[str, Tensor]:
        """Return the tensors among the entries of a dictionary of the content, by name."""
        found = ((name, _tensor(value)) for name, value in entries.items() if isinstance(name, str))
        return {name: tensor for name, tensor in found if tensor is not None}

    def array(self, tensor: Tensor) -> np.ndarray:
        """Read a tensor as float64; `ModelError` if its numbers are missing, or are not numbers."""
        kind = _DTYPES.get(tensor.kind)
        name = f"{self._folder}/data/{tensor.storage}"
        try:
            if kind is None:
                raise ValueError("a tensor of an unknown type")
            with zipfile.ZipFile(self.path) as archive:
                content = _read(archive, name)
            numbers = np.frombuffer(content, np.dtype(self._order + kind))
            array = _strided(numbers, tensor)
        except Exception as error:  # A damaged archive can raise anything.
            raise ModelError(f"{self.path} is damaged: a tensor cannot be read. Copy or save it again.") from error
        if tensor.kind == "BFloat16Storage":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ModelError(f"{self.path} holds numbers that are not finite. Its training failed; choose another one.")
        return array


def open_checkpoint(path: Path | str) -> CheckpointFile:
    """Read a checkpoint without the numbers of its tensors, and without executing anything.

    Raises
    ------
    ModelError
        The file is missing, damaged, no checkpoint, or refers to functions or classes that may do more than hold data.
    """
    path = Path(path)
    try:
        size = checked_file(path)
    except InputError as error:
        raise ModelError(str(error)) from None
    try:
        if size > _LARGEST_FILE:
            raise ModelError(f"{path} is larger than any checkpoint. Choose another file.")
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise ModelError(f"{path} is not a checkpoint of PyTorch but another archive. Choose another file.")
            folder = pickles[0].removesuffix("/data.pkl")
            order = ">" if f"{folder}/byteorder" in archive.namelist() else "<"
            if order == ">" and _read(archive, f"{folder}/byteorder").strip() != b"big":
                order = "<"
            content = data_of_pickle(_read(archive, pickles[0]), path)
    except ModelError:
        raise
    except zipfile.BadZipFile as error:
        raise ModelError(
            f"{path} is not a checkpoint of PyTorch, or is cut short. Files of PyTorch before version 1.6 must be "
            "saved again with a newer one."
        ) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from error
    except Exception as error:
        raise ModelError(f"{path} is damaged and cannot be read. Copy or save it again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no model: it was saved from something else. Choose another file.")
    return CheckpointFile(path, content, folder, order)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member that is stored as it is, as PyTorch does, so that a small file cannot fill the memory."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise ValueError("a compressed member")
    return archive.read(entry)


def _tensor(value: Any) -> Tensor | None:
    """Return the tensor that a call describes; None if it describes none."""
    if not isinstance(value, Call):
        return None
    if value.function.name == "_rebuild_parameter" and value.arguments:
        return _tensor(value.arguments[0])
    if value.function.name not in ("_rebuild_tensor", "_rebuild_tensor_v2"):
        return None
    match value.arguments:
        case [
            Stored(("storage", Name(name=kind), str() as key, *_)),
            int() as offset,
            tuple() as shape,
            tuple() as step,
            *_,
        ]:
            if all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *step)):
                return Tensor(key, kind, offset, shape, step)
    return None


def _strided(numbers: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Return the numbers of a tensor; `ValueError` if they lie outside of its storage."""
    if len(tensor.shape) != len(tensor.strides) or math.prod(tensor.shape) > _MOST_NUMBERS:
        raise ValueError("a tensor of an impossible shape")
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if math.prod(tensor.shape) and not 0 <= last < len(numbers):
        raise ValueError("a tensor outside of its storage")
    steps = [step * numbers.itemsize for step in tensor.strides]
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, steps, writeable=False)
    return view.copy()
