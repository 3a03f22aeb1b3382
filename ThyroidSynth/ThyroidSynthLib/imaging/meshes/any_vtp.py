"""VTP files, the XML format of VTK for surfaces.

Own code, because VTK's reader ends the process where a damaged file states more numbers than memory can hold.
"""

from __future__ import annotations

import base64
import lzma
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ThyroidSynthLib.geometry.surface import Surface

from .polygons import triangles_of

_TYPES = {
    **{
        f"{sign}Int{bits}": f"{letter}{bits // 8}"
        for sign, letter in (("", "i"), ("U", "u"))
        for bits in (8, 16, 32, 64)
    },
    **{"Float32": "f4", "Float64": "f8", "String": "i1"},
}
# What a byte of a compressed file can stand for.
_LARGEST_RATIO = 2000


@dataclass(frozen=True)
class _File:
    """How a file stores numbers, and the bytes behind its XML."""

    order: str
    header: str
    compressor: str
    appended: bytes
    encoded: bool


def read_vtp(path: Path) -> tuple[Surface, str]:
    """Read a surface in the axes of the file, and the axes that it states; `ValueError` if it is damaged."""
    root, appended = _parsed(path.read_bytes())
    if root.get("type") != "PolyData":
        raise ValueError("it is no surface")
    order = "<" if root.get("byte_order", "LittleEndian") == "LittleEndian" else ">"
    stored = root.find("AppendedData")
    encoded = stored is not None and stored.get("encoding") == "base64"
    file = _File(order, _TYPES[root.get("header_type", "UInt32")], root.get("compressor", ""), appended, encoded)
    points, polygons = [np.empty((0, 3))], [np.empty((0, 3), dtype=np.int64)]
    for piece in root.iter("Piece"):
        if int(piece.get("NumberOfStrips", "0")):
            raise ValueError("it has strips of triangles; save it with triangles")
        first = sum(map(len, points))
        found = _array(file, piece.find("Points/DataArray")).reshape(-1, 3)
        points.append(found)
        parts = {each.get("Name"): each for each in piece.iterfind("Polys/DataArray")}
        if int(piece.get("NumberOfPolys", "0")):
            corners, ends = (_array(file, parts[name]).astype(np.int64) for name in ("connectivity", "offsets"))
            if len(ends) == 0 or ends[0] < 0 or (np.diff(ends) < 0).any() or ends[-1] != len(corners):
                raise ValueError("its polygons do not fit together")
            polygons.append(triangles_of(np.split(corners, ends[:-1]), len(found)) + first)
    space = next((each for each in root.iterfind("PolyData/FieldData/*") if each.get("Name") == "SPACE"), None)
    text = "" if space is None else _array(file, space).astype(np.uint8).tobytes().rstrip(b"\0").decode("ascii")
    return Surface(np.concatenate(points), np.concatenate(polygons)), text if text in ("LPS", "RAS") else ""


def _parsed(content: bytes) -> tuple[ElementTree.Element, bytes]:
    """Return the XML of a file without its appended data, and these."""
    found = re.search(rb"<AppendedData[^>]*>\s*_", content)
    appended = b""
    if found is not None:
        end = content.rfind(b"</AppendedData>")
        if end < found.end():
            raise ValueError("it is cut short")
        appended, content = content[found.end() : end], content[: found.end() - 1] + content[end:]
    if b"<!ENTITY" in content or b"<!DOCTYPE" in content:
        raise ValueError("it defines entities")
    return ElementTree.fromstring(content), appended


def _array(file: _File, element: ElementTree.Element | None) -> np.ndarray:
    """Return the numbers (n,) of an array."""
    if element is None:
        raise ValueError("an array is missing")
    kind = np.dtype(file.order + _TYPES[element.get("type", "")])
    form, text = element.get("format", "ascii"), element.text or ""
    if form == "ascii":
        return np.array(text.split(), dtype=np.float64).astype(kind)
    if form == "binary":
        return np.frombuffer(_bytes(file, text.strip().encode("ascii"), encoded=True), kind)
    offset = int(element.get("offset", "0"))
    if not 0 <= offset < len(file.appended):
        raise ValueError("an array lies behind the end")
    return np.frombuffer(_bytes(file, file.appended[offset:], encoded=file.encoded), kind)


def _bytes(file: _File, stored: bytes, *, encoded: bool) -> bytes:
    """Return the bytes of an array that are stored at the beginning of `stored`."""
    size = np.dtype(file.header).itemsize

    def numbers(content: bytes, count: int) -> list[int]:
        return np.frombuffer(content, np.dtype(file.order + file.header), count).tolist()

    if not file.compressor:
        (length,) = numbers(_decoded(stored, size) if encoded else stored, 1)
        content = _decoded(stored, size + length) if encoded else stored
        return _cut(content, size, length)
    (blocks,) = numbers(_decoded(stored, size) if encoded else stored, 1)
    if blocks * size > len(stored):
        raise ValueError("it is cut short")
    count = 3 + blocks
    header = numbers(_decoded(stored, count * size) if encoded else stored, count)
    start = -(-count * size // 3) * 4 if encoded else count * size
    body = _decoded(stored[start:], sum(header[3:])) if encoded else stored[start:]
    found, at = [], 0
    for number, length in enumerate(header[3:]):
        whole = header[2] if header[2] and number == blocks - 1 else header[1]
        found.append(_decompressed(file.compressor, _cut(body, at, length), whole))
        at += length
    return b"".join(found)


def _decoded(stored: bytes, length: int) -> bytes:
    """Decode the first bytes of base64 text."""
    return base64.b64decode(stored[: -(-length // 3) * 4], validate=True)


def _cut(content: bytes, start: int, length: int) -> bytes:
    if start + length > len(content):
        raise ValueError("it is cut short")
    return content[start : start + length]


def _decompressed(compressor: str, content: bytes, length: int) -> bytes:
    if length > _LARGEST_RATIO * max(len(content), 1):
        raise ValueError("a block is larger than possible")
    if compressor == "vtkZLibDataCompressor":
        found = zlib.decompressobj().decompress(content, length)
    elif compressor == "vtkLZMADataCompressor":
        found = lzma.LZMADecompressor().decompress(content, length)
    else:
        raise ValueError(f"it is compressed by {compressor}; save it without compression")
    if len(found) != length:
        raise ValueError("a block has another length than stated")
    return found
