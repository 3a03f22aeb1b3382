"""Volumes as bare numbers (.raw) that any program can read, with a JSON file that describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import parse_json, read_text
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .nrrd import data_file_beside
from .stored_voxels import StoredVoxels

_KIND = "raw volume"
_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")


@dataclass(frozen=True)
class RawHeader:
    """The description of a raw volume: where its voxels lie and are stored, and the names of its labels."""

    grid: Grid
    voxels: StoredVoxels
    names: dict[int, str]


def header_of_raw(path: Path) -> Path:
    """Return the JSON file that describes a ``.raw`` file."""
    return path.with_suffix(".json")


def read_raw_header(path: Path) -> RawHeader:
    """Read the JSON file that describes a raw volume; `path` is that file, or the one with the voxels.

    Raises
    ------
    InputError
        There is no description, it is not one of this kind, or its geometry is impossible.
    """
    described = path if path.suffix.lower() == ".json" else header_of_raw(path)
    if described != path and not described.exists():
        raise InputError(
            f"{path} has no header, and {described.name}, which would describe it, is not beside it. "
            "Export it as NIfTI or NRRD."
        )
    found = parse_json(read_text(described), described)

    def refused(what: str) -> InputError:
        return InputError(f"{described} does not describe a raw volume ({what}). Export it again as NIfTI or NRRD.")

    if not isinstance(found, dict) or found.get("kind") != _KIND:
        raise refused(f"its kind is not '{_KIND}'")
    size, matrix = found.get("size_ijk"), found.get("ijk_to_ras")
    if not (isinstance(size, list) and len(size) == 3 and all(type(n) is int and 0 < n < 1 << 31 for n in size)):
        raise refused("size_ijk is not three whole numbers")
    if not _is_matrix(matrix):
        raise refused("ijk_to_ras is not a 4 x 4 matrix")
    if found.get("element_type") not in _TYPES or found.get("byte_order") not in ("little", "big"):
        raise refused(f"element_type must be one of {', '.join(_TYPES)}, and byte_order little or big")
    if not isinstance(found.get("data_file"), str):
        raise refused("data_file names no file")
    data = data_file_beside(described, found["data_file"])
    if described != path and data.name != path.name:
        raise refused(f"it describes {data.name}")
    labels = found.get("labels", {})
    if not isinstance(labels, dict):
        raise refused("labels are not names of numbers")
    names = {int(n): name for n, name in labels.items() if re.fullmatch("[0-9]{1,9}", n) and isinstance(name, str)}
    grid = Grid.of_file(described, size[::-1], np.array(matrix, dtype=np.float64))
    kind = np.dtype(found["element_type"]).newbyteorder("<" if found["byte_order"] == "little" else ">")
    return RawHeader(grid, StoredVoxels(described, data, grid.shape, kind, 0), names)


def raw_description(volume: Volume, data_file: str, *, note: str, names: Mapping[int, str]) -> dict[str, Any]:
    """Return the description of a volume whose voxels are in a file by `planes_of`, as a JSON document."""
    return {
        "kind": _KIND,
        "format_version": 1,
        "note": note,
        "data_file": data_file,
        "element_type": volume.array.dtype.name,
        "byte_order": "little",
        "order": "i fastest, then j, then k",
        "size_ijk": [int(n) for n in volume.array.shape[::-1]],
        "spacing_mm": volume.spacing_mm.tolist(),
        "ijk_to_ras": volume.ijk_to_ras.tolist(),
        "labels": {str(label): name for label, name in sorted(names.items())},
    }


def _is_matrix(value: Any) -> bool:
    rows = value if isinstance(value, list) and len(value) == 4 else []
    return len(rows) == 4 and all(
        isinstance(row, list) and len(row) == 4 and all(type(n) in (int, float) and abs(n) < 1e9 for n in row)
        for row in rows
    )
