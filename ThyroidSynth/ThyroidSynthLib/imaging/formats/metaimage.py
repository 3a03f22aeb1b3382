"""MetaImage files, .mha and .mhd with .raw: header and grid, and writing.

Own code, because ITK opens whatever file a header names as its data and allocates what a header claims. Format:
https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import shortened
from ThyroidSynthLib.geometry.grid import Grid, flip_lps_ras
from ThyroidSynthLib.geometry.volume import Volume

from .nrrd import data_file_beside
from .stored_voxels import StoredVoxels, damaged, opened, planes_of

_LONGEST_HEADER = 1 << 20
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_TYPE_OF = {code: name for name, code in _TYPES.items() if name not in ("MET_LONG", "MET_ULONG")}
_MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "um": 1e-3}
_AGAIN = "Export it again as NIfTI or NRRD."


@dataclass(frozen=True)
class MetaImageHeader:
    """The header of a MetaImage file: where its voxels lie in `ras_mm` and are stored, and all its entries."""

    grid: Grid
    voxels: StoredVoxels
    entries: dict[str, str]


def read_metaimage_header(path: Path) -> MetaImageHeader:
    """Read the header of a 3-D MetaImage file.

    Raises
    ------
    InputError
        The file is damaged, has no position in the patient, or refers to data outside its folder.
    """
    with opened(path) as file:
        start = file.read(_LONGEST_HEADER)
    end = re.search(rb"^[ \t]*ElementDataFile[ \t]*=[^\n]*\n?", start, re.MULTILINE)
    if end is None or not re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", start):
        raise InputError(f"{path} is not a MetaImage file, although its name ends like one. {_AGAIN}")
    fields = {}
    for line in start[: end.end()].decode("utf-8", "surrogateescape").splitlines():
        name, _, value = line.partition("=")
        fields[name.strip()] = value.strip()

    def one_of(*names: str) -> str | None:
        return next((fields[name] for name in names if name in fields), None)

    def numbers(text: str, count: int, what: str) -> np.ndarray:
        try:
            found = np.array([float(part) for part in text.split()])
        except ValueError:
            found = np.zeros(0)
        if len(found) != count:
            raise damaged(path, f"{text!r} in its header is not a valid {what}")
        return found

    def flag(name: str) -> bool:
        return fields.get(name, "False").lower() in ("true", "1", "t")

    if fields.get("NDims") != "3":
        raise InputError(f"{path} is not a 3-D image ({fields.get('NDims')} axes). Export a single 3-D volume.")
    if not re.fullmatch(r"[0-9]{1,18} +[0-9]{1,18} +[0-9]{1,18}", fields.get("DimSize", "")):
        raise damaged(path, f"{fields.get('DimSize')!r} in its header is not a valid DimSize")
    columns, rows, slices = (int(part) for part in fields["DimSize"].split())
    spacing = one_of("ElementSpacing", "ElementSize")
    offset = one_of("Offset", "Position", "Origin")
    if spacing is None or offset is None:
        raise InputError(
            f"{path} has no position in the patient (its header needs ElementSpacing and Offset). Export it again, "
            "with its geometry, from the program that made it."
        )
    # The format says that axes are those of the patient (LPS) if there is no matrix. Its rows are the axes.
    directions = one_of("TransformMatrix", "Rotation", "Orientation") or "1 0 0 0 1 0 0 0 1"
    axes = numbers(directions, 9, "TransformMatrix").reshape(3, 3).T * numbers(spacing, 3, "ElementSpacing")
    unit = fields.get("DistanceUnits", "mm")
    if unit.lower() not in _MM_PER_UNIT:
        raise InputError(f"{path} has lengths in {unit!r}, which is not known. Export it again in mm.")
    scale = _MM_PER_UNIT[unit.lower()]
    with np.errstate(over="ignore", invalid="ignore"):
        origin = (numbers(offset, 3, "Offset") * scale).tolist()
        matrix = Grid.of_lps((1, 1, 1), axes * scale, origin).ijk_to_ras
    grid = Grid.of_file(path, (slices, rows, columns), matrix)

    kind = fields.get("ElementType", "")
    channels = fields.get("ElementNumberOfChannels", "1")
    if kind not in _TYPES or not re.fullmatch(r"[1-9][0-9]{0,3}", channels):
        raise InputError(
            f"{path} does not have numbers as voxels (type {shortened(kind or 'unknown')}, "
            f"{shortened(channels)} values each). {_AGAIN}"
        )
    if fields.get("BinaryData", "True").lower() not in ("true", "1", "t"):
        raise InputError(f"{path} has its voxels as text, which is not read. {_AGAIN}")
    if fields.get("HeaderSize", "0") != "0":
        raise InputError(f"{path} has bytes before its voxels (HeaderSize), which is not read. {_AGAIN}")
    big = flag("BinaryDataByteOrderMSB") or flag("ElementByteOrderMSB")
    local = fields["ElementDataFile"].upper() == "LOCAL"
    voxels = StoredVoxels(
        image=path,
        path=path if local else data_file_beside(path, fields["ElementDataFile"]),
        shape=grid.shape,
        dtype=np.dtype((">" if big else "<") + _TYPES[kind]),
        offset=end.end() if local else 0,
        compression="gzip" if flag("CompressedData") else "none",
        components=int(channels),
    )
    return MetaImageHeader(grid, voxels, fields)


def write_metaimage(volume: Volume, path: Path, entries: Mapping[str, str]) -> None:
    """Write a volume and its header as one file; `OSError` if it cannot be written. For entries see below."""
    compressor = zlib.compressobj(6)
    packed = b"".join(map(compressor.compress, planes_of(volume.array))) + compressor.flush()
    path.write_bytes(metaimage_header(volume, entries, packed_bytes=len(packed)) + packed)


def metaimage_header(
    volume: Volume, entries: Mapping[str, str], *, data_file: str = "LOCAL", packed_bytes: int = 0
) -> bytes:
    """Return the header of a volume.

    Parameters
    ----------
    entries : mapping of str to str
        Further entries, which ITK reads as metadata: names without blanks and signs, and one line of text each.
    data_file : str
        The file of the voxels in the same folder; LOCAL if they follow the header.
    packed_bytes : int
        Number of bytes of the compressed voxels; 0 if they are not compressed.
    """
    axes, spacing = flip_lps_ras(volume.ijk_to_ras[:3].T), volume.spacing_mm
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(packed_bytes > 0),
        **({"CompressedDataSize": str(packed_bytes)} if packed_bytes else {}),
        "TransformMatrix": _line(axes[:3] / spacing[:, None]),
        "Offset": _line(axes[3]),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _line(spacing),
        "DimSize": " ".join(str(n) for n in volume.array.shape[::-1]),
        **entries,
        "ElementType": _TYPE_OF[volume.array.dtype.str[1:]],
        "ElementDataFile": data_file,
    }
    return "".join(f"{name} = {value}\n" for name, value in header.items()).encode("utf-8", "surrogateescape")


def _line(values: np.ndarray) -> str:
    return " ".join(repr(float(value) + 0.0) for value in np.ravel(values))
