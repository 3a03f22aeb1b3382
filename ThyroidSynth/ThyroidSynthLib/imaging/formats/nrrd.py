"""NRRD files: header, grid and voxels, read and written.

Own code, because pynrrd is not part of Slicer, and ITK opens whatever file a header names as its data, allocates what a
header claims, and places an image without a position at the origin. Format: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.common.text_files import shortened
from ThyroidSynthLib.geometry.grid import Grid, flip_lps_ras
from ThyroidSynthLib.geometry.volume import Volume

from .stored_voxels import StoredVoxels, damaged, opened, planes_of

_LONGEST_HEADER = 1 << 24

_TYPES = {
    "i1": ("int8", "signed char", "int8_t"),
    "u1": ("uint8", "uchar", "unsigned char", "uint8_t"),
    "i2": ("int16", "short", "short int", "signed short", "signed short int", "int16_t"),
    "u2": ("uint16", "ushort", "unsigned short", "unsigned short int", "uint16_t"),
    "i4": ("int32", "int", "signed int", "int32_t"),
    "u4": ("uint32", "uint", "unsigned int", "uint32_t"),
    "i8": ("int64", "longlong", "long long", "long long int", "signed long long", "signed long long int", "int64_t"),
    "u8": ("uint64", "ulonglong", "unsigned long long", "unsigned long long int", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_CODE_OF_TYPE = {name: code for code, names in _TYPES.items() for name in names}
_COMPRESSIONS = {"raw": "none", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
# To RAS axes.
_SPACES = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "las": (-1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "lps": (-1.0, -1.0, 1.0),
}
_MM_PER_UNIT = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "µm": 1e-3}
_AGAIN = "Save it again from Slicer."


@dataclass(frozen=True)
class NrrdHeader:
    """The header of a NRRD file: where its voxels lie and are stored, and its key/value pairs.

    `scan` is the grid of the scan that was segmented. Slicer stores only the part of it with segments, and its extent
    in the keys; for other files it is the same as `grid`.
    """

    grid: Grid
    voxels: StoredVoxels
    keys: dict[str, str]
    scan: Grid


def read_nrrd_header(path: Path) -> NrrdHeader:
    """Read the header of a NRRD file with three axes in space and at most one for several numbers per voxel.

    Raises
    ------
    InputError
        The file is damaged, is of a kind that has no position in the patient, or refers to data outside its folder.
    """
    with opened(path) as file:
        lines, length = _lines(path, file.read(_LONGEST_HEADER))
        fields, keys = _fields(lines)
        return _header(path, fields, keys, length)


def write_nrrd(volume: Volume, path: Path, keys: Mapping[str, str]) -> None:
    """Write a volume, gzipped, with key/value pairs; `OSError` if the file cannot be written."""
    code = volume.array.dtype.str[1:]
    axes = flip_lps_ras(volume.ijk_to_ras[:3].T)

    def vector(values: np.ndarray) -> str:
        return "(" + ",".join(repr(float(value) + 0.0) for value in values) + ")"

    lines = [
        "NRRD0005",
        "# Complete NRRD file format specification at: https://teem.sourceforge.net/nrrd/format.html",
        f"type: {_TYPES[code][0]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(n) for n in volume.array.shape[::-1])}",
        f"space directions: {' '.join(vector(axis) for axis in axes[:3])}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {vector(axes[3])}",
        *(f"{key}:={_escaped(value)}" for key, value in keys.items()),
    ]
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n\n").encode())
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
            packed.writelines(planes_of(volume.array))


def _lines(path: Path, start: bytes) -> tuple[list[str], int]:
    """Return the lines of the header, and its length in bytes with the blank line at its end."""
    if not re.match(rb"NRRD000[1-9]\r?\n", start):
        raise InputError(f"{path} is not a NRRD file, although its name ends like one. {_AGAIN}")
    end = re.search(rb"\n\r?\n", start)
    if end is None and len(start) == _LONGEST_HEADER:
        raise damaged(path, "its header does not end")
    header = start[: end.start()] if end else start
    return header.decode("utf-8", "replace").splitlines()[1:], end.end() if end else len(start)


def _fields(lines: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    fields, keys = {}, {}
    for line in lines:
        if line.startswith("#"):
            continue
        field = re.match(r"([^:]+): ?(.*)", line)
        key = re.match(r"(.+?):=(.*)", line)
        if key and (not field or key.end(1) <= field.end(1)):
            keys[key.group(1)] = re.sub(r"\\([\\n])", lambda m: "\n" if m[1] == "n" else "\\", key.group(2))
        elif field:
            fields[field.group(1).strip().lower().replace(" ", "")] = field.group(2).strip()
    return fields, keys


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _header(path: Path, fields: dict[str, str], keys: dict[str, str], length: int) -> NrrdHeader:
    def field(name: str) -> str:
        if name not in fields:
            raise damaged(path, f"its header has no '{name}'")
        return fields[name]

    sizes = [_whole(path, "sizes", text) for text in field("sizes").split()]
    if _whole(path, "dimension", field("dimension")) != len(sizes):
        raise damaged(path, f"its header has {len(sizes)} sizes, but dimension {fields['dimension']}")
    if fields.get("space", "").lower() not in _SPACES or not {"spacedirections", "spaceorigin"} <= set(fields):
        raise InputError(
            f"{path} has no position in the patient (its header needs a space such as left-posterior-superior, space "
            "directions and space origin), so left and right are unknown. Export it again, with its geometry, from "
            "the program that made it."
        )
    directions = re.findall(r"none|\([^()]*\)", fields["spacedirections"])
    spatial = [axis for axis, direction in enumerate(directions) if direction != "none"]
    if len(directions) != len(sizes) or len(spatial) != 3 or len(sizes) > 4:
        size = "x".join(str(n) for n in sizes)
        raise InputError(f"{path} is not a 3-D image (size {size}). Export a single 3-D volume.")
    components = next((size for axis, size in enumerate(sizes) if axis not in spatial), 1)
    if components < 1 or (len(sizes) == 4 and spatial != [1, 2, 3]):
        raise InputError(f"{path} does not have the numbers of each voxel side by side. {_AGAIN}")
    units = re.findall(r'"([^"]*)"', fields.get("spaceunits", ""))
    unknown = [unit for unit in units if unit.lower() not in _MM_PER_UNIT]
    if unknown:
        raise InputError(f"{path} has lengths in '{shortened(unknown[0])}', which is not known. Export it again in mm.")
    vectors = [_vector(path, directions[axis]) for axis in spatial] + [_vector(path, fields["spaceorigin"])]
    matrix = np.eye(4)
    matrix[:3] = np.array(vectors).T * np.array(_SPACES[fields["space"].lower()])[:, None]
    matrix[:3] *= np.array([_MM_PER_UNIT[unit.lower()] for unit in units] or [1.0, 1.0, 1.0])[:, None]
    shape = [sizes[axis] for axis in reversed(spatial)]
    hint = f"Its header says that lengths are in {units[0]}." if units and units[0] != "mm" else ""
    grid = Grid.of_file(path, shape, matrix, hint=hint)

    kind = field("type").lower()
    if kind not in _CODE_OF_TYPE:
        raise InputError(f"{path} does not have numbers as voxels (type {shortened(kind)}). Export it as integers.")
    encoding = field("encoding").lower()
    if encoding not in _COMPRESSIONS:
        raise InputError(f"{path} has voxels in encoding '{shortened(encoding)}', which is not read. {_AGAIN}")
    endian = fields.get("endian", "little").lower()
    if endian not in ("little", "big"):
        raise damaged(path, f"its header has endian {endian!r}")
    stored, start = path, length
    detached = fields.get("datafile")
    if detached is not None:
        stored, start = data_file_beside(path, detached), 0
    if _whole(path, "lineskip", fields.get("lineskip", "0")):
        raise InputError(f"{path} has lines before its voxels (line skip), which is not read. {_AGAIN}")
    skipped = _whole(path, "byteskip", fields.get("byteskip", "0"))
    if skipped < 0 or (skipped and _COMPRESSIONS[encoding] != "none"):
        raise InputError(f"{path} has a byte skip of {skipped} before its voxels, which is not read. {_AGAIN}")
    voxels = StoredVoxels(
        image=path,
        path=stored,
        shape=grid.shape,
        dtype=np.dtype((">" if endian == "big" else "<") + _CODE_OF_TYPE[kind]),
        offset=start + skipped,
        compression=_COMPRESSIONS[encoding],
        components=components,
    )
    return NrrdHeader(grid, voxels, keys, _scan_grid(path, keys, grid))


def _scan_grid(path: Path, keys: dict[str, str], grid: Grid) -> Grid:
    """Return the grid of the scan that was segmented, or the file's if the segmentation was made on another grid.

    `InputError` if the keys of Slicer's segmentations are damaged, whatever the file is read for.
    """
    for key, value in keys.items():
        if re.fullmatch(r"Segment[0-9]+_(LabelValue|Layer)", key) and not re.fullmatch(r"[0-9]{1,9}", value.strip()):
            raise damaged(path, f"{key} in its header is {value!r} instead of a whole number")
    found = re.search(r"Reference image geometry\|([^|&]*)", keys.get("Segmentation_ConversionParameters", ""))
    offset = keys.get("Segmentation_ReferenceImageExtentOffset", "").split()
    values = [value for value in found.group(1).split(";") if value.strip()] if found else []
    if len(values) != 22 or len(offset) != 3:
        return grid
    if not all(re.fullmatch(r"\s*-?[0-9]{1,9}\s*", text) for text in (*values[16:], *offset)):
        raise damaged(path, "the extent of its scan in its header is not of whole numbers")
    extent = np.array([int(value) for value in values[16:]]).reshape(3, 2)
    first = np.array([int(value) for value in offset]) - extent[:, 0]
    size = extent[:, 1] - extent[:, 0] + 1
    if (first < 0).any() or (first + grid.last_ijk >= size).any():
        return grid
    part = grid.part(-first[::-1], size[::-1])
    return Grid.of_file(path, part.shape, part.ijk_to_ras)


def data_file_beside(path: Path, name: str) -> Path:
    """Return the file with the voxels that the header of `path` names; `InputError` unless it is in the same folder."""
    if not re.fullmatch(r"[^/\\%\s][^/\\%]*", name) or name.upper().startswith("LIST") or name in (".", ".."):
        raise InputError(
            f"{path} keeps its voxels in another place ({shortened(name)}), which is not read. "
            "Save it again as one file."
        )
    beside = path.parent / name
    try:
        checked_file(beside)
    except InputError as error:
        raise InputError(f"{path} keeps its voxels in another file. {error}") from None
    return beside


def _whole(path: Path, name: str, text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise damaged(path, f"{text!r} in its header is not a whole number, as '{name}' needs")
    return int(text)


def _vector(path: Path, text: str) -> list[float]:
    numbers = text.strip("()").split(",")
    try:
        vector = [float(number) for number in numbers]
    except ValueError:
        vector = []
    if len(vector) != 3:
        raise damaged(path, f"{text!r} in its header is not a position")
    return vector
