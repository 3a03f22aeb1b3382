"""Arrays and a JSON description in one safetensors file, the format of models and checkpoints.

A safetensors file holds raw arrays and JSON only, so that opening a file from elsewhere cannot run code: the size of
the header in 8 bytes, the header as JSON, and the arrays one after the other
(https://huggingface.co/docs/safetensors). Read and written by own code, because Slicer does not have the package.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.common.text_files import entry, is_kind

_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4"}
_KEY = "thyroidsynth"
# A header describes a dozen arrays and lists the ids of the cases; a file with a larger one is not a model.
_LARGEST_HEADER = 64 << 20
# A model of 100,000 cases has some 30 MB, its checkpoint three times as much.
_LARGEST_FILE = 1 << 30


@dataclass(frozen=True)
class ArrayFile:
    """The header of a file: the type, shape, first and last byte of each array, and the description."""

    path: Path
    description: dict[str, Any]
    entries: dict[str, tuple[np.dtype, tuple[int, ...], int, int]]

    def array(self, name: str) -> np.ndarray:
        """Read one array; `KeyError` if there is none of this name."""
        dtype, shape, begin, end = self.entries[name]
        with self.path.open("rb") as stream:
            stream.seek(begin)
            content = bytearray(stream.read(end - begin))
        # The bytes of a bytearray may be changed, which PyTorch expects of the arrays it shares.
        return np.frombuffer(content, dtype).reshape(shape)

    def arrays(self) -> dict[str, np.ndarray]:
        """Read all arrays, by name."""
        return {name: self.array(name) for name in self.entries}


def open_arrays(path: Path | str, *, kind: str) -> ArrayFile:
    """Read the header of a file that `save_arrays` wrote with a "kind", such as "model", in its description.

    `ModelError` if the file is missing, damaged, or of another kind.
    """
    path = Path(path)
    try:
        length = checked_file(path)
    except InputError as error:
        raise ModelError(str(error)) from None
    try:
        if length > _LARGEST_FILE:
            raise ValueError("it is larger than any model")
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 2 <= size <= min(_LARGEST_HEADER, length - 8):
                raise ModelError(f"{path} is not a {kind} file, or its beginning is damaged. Choose a {kind} file.")
            header = _parsed(stream.read(size))
        metadata = header.pop("__metadata__", None) or {}
        entries = _entries(header, 8 + size, length)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}). Check its permissions and the disk.") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged or not a safetensors file ({error}). Copy or train it again.") from error
    try:
        # Text that UTF-8 cannot hold was not written by ThyroidSynth.
        metadata[_KEY].encode()
        description = json.loads(metadata[_KEY])
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise ModelError(f"{path} was not written by ThyroidSynth. Choose a ThyroidSynth {kind} file.") from None
    found = description.get("kind") if isinstance(description, dict) else None
    if found != kind:
        raise ModelError(f"{path} is a {found} file, not a {kind} file. Choose a {kind} file.")
    return ArrayFile(path, description, entries)


def load_arrays(path: Path | str, *, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read all arrays of a file, and its description; errors are those of `open_arrays`."""
    file = open_arrays(path, kind=kind)
    try:
        return file.arrays(), file.description
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error


def save_arrays(path: Path | str, arrays: Mapping[str, np.ndarray], description: Mapping[str, Any]) -> None:
    """Write arrays and a JSON description, replacing `path` in one step; `OutputError` if that fails."""
    names = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": {_KEY: json.dumps(description, ensure_ascii=False, allow_nan=False)}}
    contents, end = [], 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        offsets = [end, end := end + len(content)]
        dtype = names[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
        contents.append(content)
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # So that the arrays begin at a multiple of 8 bytes.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.writelines(contents)


def with_prefix(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays with a prefix before each name."""
    return {prefix + name: array for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays whose name begins with a prefix, by the rest of the name."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _parsed(text: bytes) -> dict[str, Any]:
    """Return the header of a file; `ValueError` if it is not a JSON object, or has a name twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            raise ValueError("an array occurs twice")
        return found

    try:
        header = json.loads(text, object_pairs_hook=once)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("its header is not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    return header


def _entries(header: dict[str, Any], start: int, file_size: int) -> dict[str, Any]:
    """Return type, shape, first and last byte of each array; `ValueError` if they do not fill the file exactly."""
    entries, expected = {}, start
    for name, stated in header.items():
        offsets = entry(stated, "data_offsets", kind=list)
        lengths = (*entry(stated, "shape", kind=list), *offsets)
        if len(offsets) != 2 or not all(is_kind(length, int) and 0 <= length < 1 << 48 for length in lengths):
            raise ValueError(f"array {name} has an invalid shape or position")
        if entry(stated, "dtype", kind=str) not in _DTYPES:
            raise ValueError(f"array {name} has the type {stated['dtype']}")
    for name, stated in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = np.dtype(_DTYPES[stated["dtype"]]), tuple(stated["shape"])
        begin, end = (start + offset for offset in stated["data_offsets"])
        if begin != expected or end - begin != dtype.itemsize * math.prod(shape):
            raise ValueError(f"array {name} has a wrong size")
        entries[name], expected = (dtype, shape, begin, end), end
    if expected != file_size:
        raise ValueError("it is cut short" if expected > file_size else "it is longer than its header says")
    return entries
