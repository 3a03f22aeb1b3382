"""Binary PLY files, in the caller's frame.

Own code, because VTK's PLY reader crashes on a truncated file and its writer takes no named values per vertex, and
trimesh is not part of Slicer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.geometry.surface import Surface

_FACE = np.dtype([("count", "u1"), ("vertices", "<i4", (3,))])


def write_ply(
    surface: Surface, path: Path | str, *, comment: str, scalars: Mapping[str, np.ndarray] | None = None
) -> None:
    """Write a surface in single precision, with named numbers (V,) for its vertices, replacing `path` in one step.

    The comment is one line for the header, which names the frame and the unit.
    """
    scalars = scalars or {}
    named = "".join(f"property float {name}\n" for name in scalars)
    vertices = np.column_stack([surface.vertices, *scalars.values()])
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment {comment}\n"
        f"element vertex {len(surface.vertices)}\n"
        f"property float x\nproperty float y\nproperty float z\n{named}"
        f"element face {len(surface.faces)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    faces = np.empty(len(surface.faces), dtype=_FACE)
    faces["count"] = 3
    faces["vertices"] = surface.faces
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(header.encode("ascii"))
        stream.write(vertices.astype("<f4").tobytes())
        stream.write(faces.tobytes())


def read_ply(path: Path | str) -> Surface:
    """Read a surface that `write_ply` wrote, without its scalars."""
    path = Path(path)
    with reading(path, "a surface", "Write it again."):
        content = path.read_bytes()
    header, end, body = content.partition(b"end_header\n")
    lines = header.decode("ascii", errors="replace").split("\n")
    counts = {
        words[1]: int(words[2])
        for words in map(str.split, lines)
        if len(words) == 3 and words[0] == "element" and words[2].isdigit()
    }
    vertices, faces = counts.get("vertex", 0), counts.get("face", 0)
    columns = sum(line.startswith("property float ") for line in lines)
    expected = vertices * 4 * columns + faces * _FACE.itemsize
    if not end or "format binary_little_endian 1.0" not in lines or columns < 3 or len(body) != expected:
        raise InputError(f"{path} is damaged or was not written by ThyroidSynth. Write it again.")
    positions = np.frombuffer(body, "<f4", vertices * columns).reshape(-1, columns)[:, :3]
    triangles = np.frombuffer(body, _FACE, faces, offset=vertices * 4 * columns)["vertices"]
    if faces and (triangles.min() < 0 or triangles.max() >= vertices):
        raise InputError(f"{path} is damaged (a triangle has a corner that does not exist). Write it again.")
    if not np.isfinite(positions).all():
        raise InputError(f"{path} is damaged (a vertex has no finite position). Write it again.")
    return Surface(positions, triangles)
