"""PLY files of any program: text or binary of either byte order, all number types, polygons, and point clouds.

Own code, because VTK's PLY reader crashes on a truncated file, and trimesh is not part of Slicer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import reading

from .polygons import triangles_of

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_CORNERS = ("vertex_indices", "vertex_index")
_LARGEST_HEADER = 1 << 16
_REMEDY = "Export it again."


@dataclass(frozen=True)
class Ply:
    """The content of a PLY file.

    Attributes
    ----------
    points : ndarray of float64, shape (V, 3)
        In the axes and the unit of the file.
    triangles : ndarray of int64, shape (F, 3)
        Polygons are split into triangles; none in a point cloud.
    comments : tuple of str
        The comments of the header.
    """

    points: np.ndarray
    triangles: np.ndarray
    comments: tuple[str, ...]


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    # Of each property its name, its type and, for a list, the type of its length.
    properties: list[tuple[str, str, str]]


def read_any_ply(path: Path | str) -> Ply:
    """Read a PLY file.

    Raises
    ------
    InputError
        The file is missing, damaged, cut short or not a PLY file, or has no positions.
    """
    path = Path(path)
    with reading(path, "a PLY file", _REMEDY):
        content = path.read_bytes()
        order, elements, comments, body = _header(path, content)
        tables = _read_text(elements, body) if not order else _read_binary(elements, body, order)
        vertices = tables.get("vertex", {})
        if not {"x", "y", "z"} <= vertices.keys():
            raise InputError(f"{path} holds no positions (vertices with x, y and z). {_REMEDY}")
        points = np.stack([np.asarray(vertices[axis], dtype=np.float64) for axis in "xyz"], axis=1)
        if not np.isfinite(points).all():
            raise InputError(f"{path} is damaged (a vertex has no finite position). {_REMEDY}")
        faces = tables.get("face", {})
        polygons = next((faces[name] for name in _CORNERS if name in faces), None)
        triangles = triangles_of(polygons if polygons is not None else [], len(points))
    return Ply(points, triangles, comments)


def _header(path: Path, content: bytes) -> tuple[str, list[_Element], tuple[str, ...], bytes]:
    """Return byte order ("" for text), elements, comments and the rest of a file."""
    found = content[:_LARGEST_HEADER].find(b"end_header")
    end = content.find(b"\n", found) + 1
    if not content.startswith(b"ply") or found < 0 or end == 0:
        raise InputError(f"{path} is not a PLY file, or its header is cut short. {_REMEDY}")
    order: str | None = None
    elements: list[_Element] = []
    comments = []
    for line in content[:found].decode("utf-8", errors="replace").splitlines()[1:]:
        match line.split():
            case ["format", name, *_]:
                order = _ORDERS.get(name)
            case ["comment" | "obj_info", *words]:
                comments.append(" ".join(words))
            case ["element", name, count]:
                elements.append(_Element(name, int(count), []))
            case ["property", "list", length, kind, name]:
                elements[-1].properties.append((name, _TYPES[kind], _TYPES[length]))
            case ["property", kind, name]:
                elements[-1].properties.append((name, _TYPES[kind], ""))
    if order is None or any(element.count < 0 for element in elements):
        raise InputError(f"{path} is a PLY file of an unknown form. {_REMEDY}")
    if any(element.count > len(content) - end for element in elements):  # An element has at least one byte.
        raise InputError(f"{path} is cut short. {_REMEDY}")
    return order, elements, tuple(comments), content[end:]


Tables = dict[str, dict[str, list[np.ndarray] | np.ndarray]]


def _read_binary(elements: list[_Element], body: bytes, order: str) -> Tables:
    """Return the columns of all elements; lists as one array (n, k) where all have the same length."""
    tables: Tables = {}
    start = 0
    for element in elements:
        lists = [each for each in element.properties if each[2]]
        if not lists:
            table = np.dtype([(name, order + kind) for name, kind, _ in element.properties])
            if table.itemsize:
                rows = np.frombuffer(body, table, element.count, start)
                tables[element.name] = {name: rows[name] for name, _, _ in element.properties}
            start += table.itemsize * element.count
        else:
            columns, start = _binary_lists(element, body, order, start)
            tables[element.name] = columns
    return tables


def _binary_lists(
    element: _Element, body: bytes, order: str, start: int
) -> tuple[dict[str, list[np.ndarray] | np.ndarray], int]:
    """Return the columns of an element with lists, and where it ends."""
    if not element.count:
        return {name: np.empty((0, 3), dtype=np.int64) for name, _, _ in element.properties}, start
    # Almost always all lists have the length of the first ones: then rows have one size.
    lengths, at = [], start
    for _, kind, of_length in element.properties:
        length = int(np.frombuffer(body, order + of_length, 1, at)[0]) if of_length else 1
        lengths.append(length)
        at += (np.dtype(of_length).itemsize if of_length else 0) + length * np.dtype(kind).itemsize
    row = at - start
    if min(lengths) >= 0 and start + row * element.count <= len(body):
        fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
        for (name, kind, of_length), length in zip(element.properties, lengths, strict=True):
            fields += [(f"{name} length", order + of_length)] if of_length else []
            fields.append((name, order + kind, (length,)) if of_length else (name, order + kind))
        rows = np.frombuffer(body, np.dtype(fields), element.count, start)
        pairs = zip(element.properties, lengths, strict=True)
        if all((rows[f"{name} length"] == length).all() for (name, _, of), length in pairs if of):
            return {name: rows[name] for name, _, _ in element.properties}, start + row * element.count
    columns: dict[str, list[np.ndarray] | np.ndarray] = {name: [] for name, _, _ in element.properties}
    at = start
    for _ in range(element.count):
        for name, kind, of_length in element.properties:
            length = 1
            if of_length:
                length = int(np.frombuffer(body, order + of_length, 1, at)[0])
                at += np.dtype(of_length).itemsize
            values = np.frombuffer(body, order + kind, length, at)
            at += values.nbytes
            columns[name].append(values)  # type: ignore[union-attr]
    return columns, at


def _read_text(elements: list[_Element], body: bytes) -> Tables:
    lines: Iterator[list[str]] = filter(None, map(str.split, body.decode("ascii").splitlines()))
    tables: Tables = {}
    for element in elements:
        columns: dict[str, list[np.ndarray]] = {name: [] for name, _, _ in element.properties}
        for _ in range(element.count):
            words = iter(next(lines, []))
            for name, kind, of_length in element.properties:
                length = int(next(words)) if of_length else 1
                columns[name].append(np.array([float(next(words)) for _ in range(length)]).astype(kind))
        tables[element.name] = {
            name: columns[name] if of_length else np.concatenate(columns[name] or [np.empty(0)])
            for name, _, of_length in element.properties
        }
    return tables
